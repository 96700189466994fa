# The ticking guest: a freestanding 64-bit program that Firecracker loads as its kernel.
#
# It prints `tick NONCE COUNTER` on the first serial port, 20 times a second, and halts in between.
# NONCE (16 hex digits) is made once, at the start; COUNTER (decimal) grows by one a line. The same
# nonce and no missing number therefore prove that this very guest never stopped.
#
# Symbols that the assembler is given (`--defsym NAME=VALUE`) make it misbehave:
#   FLOOD          it never halts, and prints as fast as its processor can
#   LAST_TICK      after so many ticks it resets the machine by the keyboard controller, as Linux does
#                  with `reboot=k`: Firecracker then ends by itself with exit code 0
#   FAULT_AFTER    after so many ticks it makes a triple fault, which resets a machine, too
#   ESCAPES        each tick is followed by a line that would clear a terminal and name its window
#
# Entered in long mode as Linux's 64-bit boot protocol has it (Documentation/arch/x86/boot.rst):
# identity-mapped memory, flat segments with the code selector that Firecracker puts at 0x08, no
# interrupts. Everything used here is emulated by KVM in hardware and in its paged form alike: no
# instruction beyond the i686 set, no stack switch, no page table of our own.

        .set    SERIAL_PORT, 0x3f8
        .set    TIMER_VECTOR, 0x20
        .set    SPURIOUS_VECTOR, 0xff
        .set    CODE_SELECTOR, 0x08
        .set    APIC_BASE, 0x1b                 # MSR; bit 10: x2APIC, bit 11: enabled
        .set    X2APIC_EOI, 0x80b
        .set    X2APIC_SPURIOUS, 0x80f          # bit 8: the APIC is enabled by software
        .set    X2APIC_TIMER, 0x832             # bit 17: periodic
        .set    X2APIC_TIMER_COUNT, 0x838
        .set    X2APIC_TIMER_DIVIDER, 0x83e     # 0b1011: by one
        .set    TICK_CYCLES, 50000000           # KVM's APIC bus runs at 1 GHz: 50 ms

        .section .text
        .globl  _start
_start:
        cli
        lea     stack_top(%rip), %rsp
        call    make_nonce
        call    load_interrupt_table
        call    start_timer
        xorl    %ebx, %ebx                      # the counter
next_tick:
        .ifndef FLOOD
        sti
        hlt
        cli
        cmpl    $0, pending(%rip)
        je      next_tick
        movl    $0, pending(%rip)
        .endif
        incq    %rbx
        call    print_tick
        .ifdef  ESCAPES
        call    print_escapes
        .endif
        .ifdef  LAST_TICK
        cmpq    $LAST_TICK, %rbx
        jb      next_tick
        movb    $0xfe, %al                      # pulse the reset line
        outb    %al, $0x64
        .endif
        .ifdef  FAULT_AFTER
        cmpq    $FAULT_AFTER, %rbx
        jb      next_tick
        lidt    no_table(%rip)
        int3
        .endif
        jmp     next_tick

# The time stamp counter, stirred so that near values look far apart (the finaliser of splitmix64).
make_nonce:
        rdtsc
        shlq    $32, %rdx
        orq     %rdx, %rax
        movabsq $0x9e3779b97f4a7c15, %rcx
        addq    %rcx, %rax
        movq    %rax, %rdx
        shrq    $30, %rdx
        xorq    %rdx, %rax
        movabsq $0xbf58476d1ce4e5b9, %rcx
        imulq   %rcx, %rax
        movq    %rax, %rdx
        shrq    $27, %rdx
        xorq    %rdx, %rax
        movabsq $0x94d049bb133111eb, %rcx
        imulq   %rcx, %rax
        movq    %rax, %rdx
        shrq    $31, %rdx
        xorq    %rdx, %rax
        movq    %rax, nonce(%rip)
        ret

load_interrupt_table:
        lea     on_timer(%rip), %rax
        movl    $TIMER_VECTOR, %ecx
        call    set_gate
        lea     on_spurious(%rip), %rax
        movl    $SPURIOUS_VECTOR, %ecx
        call    set_gate
        lidt    table_pointer(%rip)
        ret

# An interrupt gate (Intel SDM 3A, 6.14.1) for vector %ecx to the handler at %rax.
set_gate:
        shll    $4, %ecx
        lea     interrupt_table(%rip), %rdi
        addq    %rcx, %rdi
        movw    %ax, (%rdi)
        movw    $CODE_SELECTOR, 2(%rdi)
        movw    $0x8e00, 4(%rdi)
        shrq    $16, %rax
        movw    %ax, 6(%rdi)
        shrq    $16, %rax
        movl    %eax, 8(%rdi)
        movl    $0, 12(%rdi)
        ret

start_timer:
        movl    $APIC_BASE, %ecx
        rdmsr
        orl     $0xc00, %eax
        wrmsr
        xorl    %edx, %edx
        movl    $X2APIC_SPURIOUS, %ecx
        movl    $(0x100 | SPURIOUS_VECTOR), %eax
        wrmsr
        movl    $X2APIC_TIMER_DIVIDER, %ecx
        movl    $0b1011, %eax
        wrmsr
        movl    $X2APIC_TIMER, %ecx
        movl    $(0x20000 | TIMER_VECTOR), %eax
        wrmsr
        movl    $X2APIC_TIMER_COUNT, %ecx
        movl    $TICK_CYCLES, %eax
        wrmsr
        ret

on_timer:
        pushq   %rax
        pushq   %rcx
        pushq   %rdx
        movl    $1, pending(%rip)
        xorl    %eax, %eax
        xorl    %edx, %edx
        movl    $X2APIC_EOI, %ecx
        wrmsr
        popq    %rdx
        popq    %rcx
        popq    %rax
        iretq

# A spurious interrupt wants no end-of-interrupt (Intel SDM 3A, 11.9).
on_spurious:
        iretq

print_tick:
        movw    $SERIAL_PORT, %dx
        lea     word(%rip), %rsi
        movl    $5, %ecx
1:
        movb    (%rsi), %al
        outb    %al, %dx
        incq    %rsi
        decl    %ecx
        jnz     1b
        call    print_nonce
        movb    $' ', %al
        outb    %al, %dx
        call    print_counter
        movb    $'\n', %al
        outb    %al, %dx
        ret

        .ifdef  ESCAPES
print_escapes:
        movw    $SERIAL_PORT, %dx
        lea     escapes(%rip), %rsi
1:      movb    (%rsi), %al
        testb   %al, %al
        jz      2f
        outb    %al, %dx
        incq    %rsi
        jmp     1b
2:      ret
        .endif

print_nonce:
        movq    nonce(%rip), %r8
        movl    $16, %r9d
1:      rolq    $4, %r8
        movl    %r8d, %eax
        andl    $15, %eax
        lea     digits(%rip), %rsi
        movb    (%rsi,%rax), %al
        outb    %al, %dx
        decl    %r9d
        jnz     1b
        ret

# %rbx in decimal: digits are pushed from the last to the first, and popped in order.
print_counter:
        movq    %rbx, %rax
        movl    $10, %r8d
        xorl    %r9d, %r9d
1:      xorl    %edx, %edx
        divq    %r8
        pushq   %rdx
        incl    %r9d
        testq   %rax, %rax
        jnz     1b
        movw    $SERIAL_PORT, %dx
2:      popq    %rax
        addb    $'0', %al
        outb    %al, %dx
        decl    %r9d
        jnz     2b
        ret

        .section .data
word:   .ascii  "tick "
escapes:
        .asciz  "\033[2J\033]0;owned\007\342\200\256gnp\n"
digits: .ascii  "0123456789abcdef"
        .balign 8
nonce:  .quad   0
pending:
        .long   0
        .balign 16
no_table:
        .word   0
        .quad   0
        .balign 16
table_pointer:
        .word   interrupt_table_end - interrupt_table - 1
        .quad   interrupt_table
        .balign 16
interrupt_table:
        .fill   256 * 16, 1, 0
interrupt_table_end:
        .fill   4096, 1, 0
        .balign 16
stack_top:
        .section .note.GNU-stack, "", @progbits
