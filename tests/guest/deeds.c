/* What a program that broke out of its guest can do and Rust's standard library cannot: a static
 * program that the fake VMM (tests/src/bin/fake-vmm.rs) finds in its jail as /kernel, and becomes.
 *
 *   kernel half-dead          the main thread ends, another one lives on: state Z, and yet alive
 *   kernel stay               a child that takes no signal, in a session of its own
 *   kernel deaf WORDS...      becomes WORDS with SIGTERM ignored, which an exec keeps
 *   kernel backlog PATH [ID]  listens at PATH, accepts nobody, and fills the queue itself; with an ID
 *                             it first answers as a Firecracker of that id, until there is a file /go
 *   kernel fifo PATH          makes a FIFO
 *   kernel reach PORT         connects to a port of the loopback, and says how that went
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static void say(const char *text)
{
	dprintf(1, "fake: %s\n", text);
}

static void *live_on(void *unused)
{
	(void)unused;
	usleep(100000);
	say("half dead");
	for (;;)
		pause();
	return NULL;
}

static void half_dead(void)
{
	pthread_t thread;
	prctl(PR_SET_NAME, "firecracker");
	if (pthread_create(&thread, NULL, live_on, NULL))
		exit(1);
	/* this thread alone; exit_group(2) would end all */
	syscall(SYS_exit, 0);
}

static void stay(void)
{
	int signal_number;
	for (signal_number = 1; signal_number < 65; signal_number++)
		signal(signal_number, SIG_IGN);
	setsid();
	prctl(PR_SET_NAME, "firecracker");
	for (;;)
		pause();
}

static void answer(int listener, const char *id)
{
	char request[4096], body[256];
	struct pollfd ready = {.fd = listener, .events = POLLIN};
	while (access("/go", F_OK)) {
		int client;
		if (poll(&ready, 1, 50) < 1)
			continue;
		client = accept(listener, NULL, NULL);
		if (read(client, request, sizeof request) > 0) {
			int length = snprintf(body, sizeof body,
				"{\"app_name\":\"Firecracker\",\"id\":\"%s\",\"state\":\"Running\","
				"\"vmm_version\":\"1.12.1\"}", id);
			dprintf(client, "HTTP/1.1 200 \r\nContent-Length: %d\r\n\r\n%s",
				length, body);
		}
		close(client);
	}
}

static void backlog(const char *path, const char *id)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), count = 0;
	prctl(PR_SET_NAME, "firecracker");
	strncpy(name.sun_path, path, sizeof name.sun_path - 1);
	unlink(path);
	if (bind(listener, (void *)&name, sizeof name) || listen(listener, 1)) {
		say("cannot listen");
		exit(1);
	}
	if (id)
		answer(listener, id);
	for (;;) {
		int client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (client < 0 || connect(client, (void *)&name, sizeof name)) {
			dprintf(1, "fake: the queue is full after %d\n", count);
			break;
		}
		count++;
	}
	for (;;)
		pause();
}

static void reach(const char *port)
{
	struct sockaddr_in name = {.sin_family = AF_INET};
	int client = socket(AF_INET, SOCK_STREAM, 0);
	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	name.sin_port = htons(atoi(port));
	if (client < 0 || connect(client, (void *)&name, sizeof name))
		dprintf(1, "fake: not reached: %s\n", strerror(errno));
	else
		say("reached");
}

int main(int count, char **words)
{
	if (count < 2)
		return 2;
	if (!strcmp(words[1], "half-dead"))
		half_dead();
	if (!strcmp(words[1], "stay"))
		stay();
	if (count < 3)
		return 2;
	if (!strcmp(words[1], "deaf")) {
		signal(SIGTERM, SIG_IGN);
		execv(words[2], words + 2);
	}
	if (!strcmp(words[1], "backlog"))
		backlog(words[2], words[3]);
	if (!strcmp(words[1], "fifo"))
		return mkfifo(words[2], 0666) != 0;
	if (!strcmp(words[1], "reach"))
		reach(words[2]);
	return 0;
}
