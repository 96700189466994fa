//! A disk in memory that knows what of it would outlast the power.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use rustix::io::Errno;

use super::image::{Image, Inode, Item, Node, Op};
use super::states::{Pending, Power};
use crate::effect::{Disk, Kind, Status};
use crate::model::Digest;
use crate::verify::HashingWriter;

/// A disk that does not take what it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Refusal {
    /// ENOSPC: whatever needs room.
    Full,
    /// EROFS: whatever changes anything.
    ReadOnly,
}

/// From which change on it refuses, and whether only that one.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Fault {
    pub(in super::super) at: usize,
    pub(in super::super) refusal: Refusal,
    pub(in super::super) once: bool,
}

/// A disk in memory. Changes are seen at once; what the power leaves of them is another matter.
#[derive(Debug)]
pub(in super::super) struct ModelDisk {
    live: RefCell<Image>,
    durable: RefCell<Image>,
    pending: RefCell<Vec<Pending>>,
    history: RefCell<Option<Vec<Power>>>,
    changes: Cell<usize>,
    fault: Cell<Option<Fault>>,
    /// The test itself writes.
    exempt: Cell<bool>,
}

struct Place {
    folder: Inode,
    name: OsString,
    inode: Option<Inode>,
}

impl ModelDisk {
    pub(in super::super) fn holding(image: Image) -> Self {
        Self {
            live: RefCell::new(image.clone()),
            durable: RefCell::new(image),
            pending: RefCell::default(),
            history: RefCell::default(),
            changes: Cell::new(0),
            fault: Cell::new(None),
            exempt: Cell::new(false),
        }
    }

    /// A disk with these folders.
    pub(in super::super) fn with_folders(folders: &[&str]) -> Self {
        let disk = Self::holding(Image::empty());
        for folder in folders {
            let mut path = PathBuf::from("/");
            for part in Path::new(folder).components().skip(1) {
                path.push(part);
                match disk.make_folder(&path) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                        panic!("{}: {error}", path.display())
                    }
                    _ => {}
                }
            }
        }
        let image = disk.image();
        Self::holding(image)
    }

    /// What is there, when nothing is lost.
    pub(in super::super) fn image(&self) -> Image {
        self.live.borrow().clone()
    }

    /// From here on every change is remembered.
    pub(in super::super) fn remember(&self) {
        *self.history.borrow_mut() = Some(vec![self.power()]);
    }

    /// What a loss of the power could have left, at each moment since [`Self::remember`].
    pub(in super::super) fn history(&self) -> Vec<Power> {
        self.history.borrow_mut().take().unwrap_or_default()
    }

    pub(in super::super) fn changes(&self) -> usize {
        self.changes.get()
    }

    pub(in super::super) fn refuse(&self, fault: Option<Fault>) {
        self.fault.set(fault);
    }

    /// Whether changes are neither counted nor refused.
    pub(in super::super) fn exempt(&self, exempt: bool) {
        self.exempt.set(exempt);
    }

    fn power(&self) -> Power {
        Power {
            durable: self.durable.borrow().clone(),
            pending: self.pending.borrow().clone(),
        }
    }

    fn note(&self) {
        let power = self.power();
        if let Some(history) = self.history.borrow_mut().as_mut() {
            history.push(power);
        }
    }

    /// Counts a change, and refuses it where it is to.
    fn may(&self, needs_room: bool) -> io::Result<()> {
        if self.exempt.get() {
            return Ok(());
        }
        let number = self.changes.get();
        self.changes.set(number + 1);
        let Some(fault) = self.fault.get() else {
            return Ok(());
        };
        let due = number == fault.at || (number > fault.at && !fault.once);
        match fault.refusal {
            Refusal::Full if due && needs_room => Err(Errno::NOSPC.into()),
            Refusal::ReadOnly if due => Err(Errno::ROFS.into()),
            _ => Ok(()),
        }
    }

    fn change(&self, op: Op) {
        self.live.borrow_mut().apply(&op);
        self.pending.borrow_mut().push(Pending::new(op));
        self.note();
    }

    fn add(&self, place: Place, node: Node) -> io::Result<Inode> {
        if place.inode.is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let mut live = self.live.borrow_mut();
        let inode = live.items.len();
        live.items.push(Item::new(node.clone()));
        self.durable.borrow_mut().items.push(Item::new(node));
        drop(live);
        self.change(Op::Enter {
            at: (place.folder, place.name),
            inode,
        });
        Ok(inode)
    }

    fn settle(&self, inode: Inode) {
        let mut pending = self.pending.borrow_mut();
        let settled = Pending::settle(&mut pending, inode);
        let mut durable = self.durable.borrow_mut();
        for op in settled {
            durable.apply(&op);
        }
        drop((pending, durable));
        self.note();
    }

    /// Where a path leads: a link at its end is followed on request.
    fn find(&self, path: &Path, follow: bool) -> io::Result<Place> {
        let live = self.live.borrow();
        let parts = |path: &Path| -> Vec<OsString> {
            let named = path.components().filter(|part| *part != Component::RootDir);
            named.map(|part| part.as_os_str().to_owned()).collect()
        };
        let mut left = VecDeque::from(parts(path));
        let mut way = vec![0];
        for _ in 0..200 {
            let here = *way.last().unwrap_or(&0);
            let Some(name) = left.pop_front() else {
                return Ok(Place {
                    folder: 0,
                    name: OsString::new(),
                    inode: Some(here),
                });
            };
            if name == ".." {
                way.pop();
                continue;
            }
            let names = live.folder(here).ok_or(io::ErrorKind::NotADirectory)?;
            let inode = names.get(&name).copied();
            let node = inode.map(|inode| &live.items[inode].node);
            match (inode, node) {
                (_, Some(Node::Link(target))) if follow || !left.is_empty() => {
                    if target.is_absolute() {
                        way = vec![0];
                    }
                    for part in parts(target).into_iter().rev() {
                        left.push_front(part);
                    }
                }
                (Some(inode), _) if !left.is_empty() => way.push(inode),
                (None, _) if !left.is_empty() => return Err(io::ErrorKind::NotFound.into()),
                _ => {
                    return Ok(Place {
                        folder: here,
                        name,
                        inode,
                    });
                }
            }
        }
        Err(Errno::LOOP.into())
    }

    fn inode(&self, path: &Path, follow: bool) -> io::Result<Inode> {
        let place = self.find(path, follow)?;
        place.inode.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn with<T>(
        &self,
        path: &Path,
        follow: bool,
        see: impl FnOnce(&Item) -> io::Result<T>,
    ) -> io::Result<T> {
        let inode = self.inode(path, follow)?;
        see(&self.live.borrow().items[inode])
    }

    fn is_empty(&self, inode: Inode) -> Option<bool> {
        self.live.borrow().folder(inode).map(BTreeMap::is_empty)
    }
}

impl Disk for ModelDisk {
    type File = Inode;

    fn status(&self, path: &Path) -> io::Result<Status> {
        self.with(path, false, |item| {
            Ok(Status {
                kind: item.kind(),
                mode: item.mode,
                uid: 0,
                gid: 0,
            })
        })
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.with(path, true, |item| match &item.node {
            Node::File(bytes) => Ok(bytes.to_vec()),
            _ => Err(io::ErrorKind::IsADirectory.into()),
        })
    }

    fn digest(&self, path: &Path) -> io::Result<Digest> {
        let mut hashed = HashingWriter::new(io::sink());
        io::Write::write_all(&mut hashed, &self.read(path)?)?;
        Ok(hashed.finish().1.digest)
    }

    /// Nothing is ever newer than what runs.
    fn status_changed(&self, path: &Path) -> io::Result<i64> {
        self.inode(path, true).map(|_| 0)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.with(path, false, |item| match &item.node {
            Node::Link(target) => Ok(target.clone()),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        })
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        self.with(folder, true, |item| match &item.node {
            Node::Folder(names) => Ok(names.keys().cloned().collect()),
            _ => Err(io::ErrorKind::NotADirectory.into()),
        })
    }

    fn is_folder(&self, path: &Path) -> bool {
        self.with(path, true, |item| Ok(item.kind() == Kind::Folder))
            .unwrap_or(false)
    }

    fn free_bytes(&self, _path: &Path) -> io::Result<u64> {
        Ok(u64::MAX)
    }

    fn create(&self, path: &Path) -> io::Result<Inode> {
        self.may(true)?;
        self.add(self.find(path, false)?, Node::File(Rc::default()))
    }

    fn write(&self, file: &mut Inode, bytes: &[u8]) -> io::Result<()> {
        self.may(true)?;
        let mut all = match &self.live.borrow().items[*file].node {
            Node::File(bytes) => bytes.to_vec(),
            other => panic!("{other:?} is no file"),
        };
        all.extend_from_slice(bytes);
        self.change(Op::Fill {
            inode: *file,
            bytes: all.into(),
        });
        Ok(())
    }

    fn set_owner(&self, _file: &Inode, _uid: u32, _gid: u32) -> io::Result<()> {
        self.may(false)
    }

    fn set_mode(&self, file: &Inode, mode: u32) -> io::Result<()> {
        self.may(false)?;
        self.change(Op::Mode { inode: *file, mode });
        Ok(())
    }

    fn sync(&self, file: &Inode) -> io::Result<()> {
        self.settle(*file);
        Ok(())
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        self.may(true)?;
        let place = self.find(path, false)?;
        self.add(place, Node::Folder(BTreeMap::new())).map(drop)
    }

    fn set_folder_mode(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.may(false)?;
        let inode = self.inode(path, true)?;
        self.change(Op::Mode { inode, mode });
        Ok(())
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.settle(self.inode(path, true)?);
        Ok(())
    }

    fn make_link(&self, target: &Path, path: &Path) -> io::Result<()> {
        self.may(true)?;
        let place = self.find(path, false)?;
        self.add(place, Node::Link(target.into())).map(drop)
    }

    fn hard_link(&self, path: &Path, second: &Path) -> io::Result<()> {
        self.may(true)?;
        let inode = self.inode(path, false)?;
        let place = self.find(second, false)?;
        if place.inode.is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.change(Op::Enter {
            at: (place.folder, place.name),
            inode,
        });
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.may(true)?;
        let source = self.find(from, false)?;
        let place = self.find(to, false)?;
        let moved = source.inode.ok_or(io::ErrorKind::NotFound)?;
        if place.inode == Some(moved) {
            return Ok(());
        }
        if place.inode.and_then(|inode| self.is_empty(inode)) == Some(false) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        self.change(Op::Move {
            from: (source.folder, source.name),
            to: (place.folder, place.name),
        });
        Ok(())
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.may(false)?;
        let place = self.find(path, false)?;
        let inode = place.inode.ok_or(io::ErrorKind::NotFound)?;
        if self.is_empty(inode).is_some() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        self.change(Op::Leave {
            at: (place.folder, place.name),
        });
        Ok(())
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.may(false)?;
        let place = self.find(path, false)?;
        let inode = place.inode.ok_or(io::ErrorKind::NotFound)?;
        match self.is_empty(inode) {
            None => Err(io::ErrorKind::NotADirectory.into()),
            Some(false) => Err(io::ErrorKind::DirectoryNotEmpty.into()),
            Some(true) => {
                self.change(Op::Leave {
                    at: (place.folder, place.name),
                });
                Ok(())
            }
        }
    }

    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        for name in self.names(path)? {
            let path = path.join(name);
            if self.status(&path)?.kind == Kind::Folder {
                self.remove_tree(&path)?;
            } else {
                self.unlink(&path)?;
            }
        }
        self.remove_folder(path)
    }
}
