//! What a disk holds, and the operations that change it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::effect::Kind;

/// The number of a file, folder or link; 0 is the root.
pub(in super::super) type Inode = usize;

/// A name in a folder.
pub(super) type Entry = (Inode, OsString);

#[derive(Debug, Clone)]
pub(super) enum Node {
    File(Rc<[u8]>),
    Folder(BTreeMap<OsString, Inode>),
    Link(PathBuf),
}

#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) node: Node,
    pub(super) mode: u32,
}

/// All that a disk holds. A number is never given twice, so that what happens to a file can be told
/// apart from what happens to its names.
#[derive(Debug, Clone)]
pub(in super::super) struct Image {
    pub(super) items: Vec<Item>,
}

/// One change.
#[derive(Debug, Clone)]
pub(super) enum Op {
    /// A name leads to something: create, mkdir, symlink, link.
    Enter { at: Entry, inode: Inode },
    /// A name leads nowhere any more: unlink, rmdir.
    Leave { at: Entry },
    /// A name takes another's place, whole or not at all: rename.
    Move { from: Entry, to: Entry },
    /// A file holds this: write.
    Fill { inode: Inode, bytes: Rc<[u8]> },
    /// chmod.
    Mode { inode: Inode, mode: u32 },
}

impl Op {
    /// The names that it changes.
    fn entries(&self) -> Vec<&Entry> {
        match self {
            Self::Enter { at, .. } | Self::Leave { at } => vec![at],
            Self::Move { from, to } => vec![from, to],
            Self::Fill { .. } | Self::Mode { .. } => Vec::new(),
        }
    }

    /// Whether it cannot have happened without the earlier one: they change the same name.
    pub(super) fn rests_on(&self, earlier: &Self) -> bool {
        let names = earlier.entries();
        self.entries().iter().any(|name| names.contains(name))
    }

    /// What must be synced before it is sure to outlast the power.
    pub(super) fn synced_by(&self) -> Vec<Inode> {
        match self {
            Self::Fill { inode, .. } | Self::Mode { inode, .. } => vec![*inode],
            _ => self.entries().iter().map(|(folder, _)| *folder).collect(),
        }
    }
}

impl Image {
    /// A disk on which nothing is.
    pub(super) fn empty() -> Self {
        Self {
            items: vec![Item::new(Node::Folder(BTreeMap::new()))],
        }
    }

    pub(super) fn folder(&self, inode: Inode) -> Option<&BTreeMap<OsString, Inode>> {
        match &self.items[inode].node {
            Node::Folder(names) => Some(names),
            _ => None,
        }
    }

    fn names(&mut self, inode: Inode) -> &mut BTreeMap<OsString, Inode> {
        match &mut self.items[inode].node {
            Node::Folder(names) => names,
            other => panic!("{inode} is no folder but {other:?}"),
        }
    }

    pub(super) fn apply(&mut self, op: &Op) {
        match op {
            Op::Enter { at, inode } => {
                self.names(at.0).insert(at.1.clone(), *inode);
            }
            Op::Leave { at } => {
                self.names(at.0).remove(&at.1);
            }
            Op::Move { from, to } => {
                if let Some(inode) = self.names(from.0).remove(&from.1) {
                    self.names(to.0).insert(to.1.clone(), inode);
                }
            }
            Op::Fill { inode, bytes } => self.items[*inode].node = Node::File(Rc::clone(bytes)),
            Op::Mode { inode, mode } => self.items[*inode].mode = *mode,
        }
    }

    /// Everything that a name leads to, in order: the path, and what is there.
    pub(in super::super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        self.walk(0, Path::new("/"), &mut |path, item| {
            let shown = match &item.node {
                Node::File(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                Node::Folder(_) => "/".into(),
                Node::Link(target) => format!("-> {}", target.display()),
            };
            lines.push(format!("{} {:o} {shown}", path.display(), item.mode));
        });
        lines
    }

    /// A number that two disks share only when the same can be read from them.
    pub(super) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.walk(0, Path::new("/"), &mut |path, item| {
            path.hash(&mut hasher);
            item.mode.hash(&mut hasher);
            match &item.node {
                Node::File(bytes) => bytes.hash(&mut hasher),
                Node::Folder(_) => 0.hash(&mut hasher),
                Node::Link(target) => target.hash(&mut hasher),
            }
        });
        hasher.finish()
    }

    fn walk(&self, inode: Inode, path: &Path, see: &mut dyn FnMut(&Path, &Item)) {
        for (name, inode) in self.folder(inode).into_iter().flatten() {
            let path = path.join(name);
            // what is installed from lies there: nobody's but the test's
            if path == Path::new("/root") {
                continue;
            }
            see(&path, &self.items[*inode]);
            self.walk(*inode, &path, see);
        }
    }
}

impl Item {
    pub(super) fn new(node: Node) -> Self {
        let mode = match node {
            Node::File(_) => 0o600,
            Node::Folder(_) => 0o755,
            Node::Link(_) => 0o777,
        };
        Self { node, mode }
    }

    pub(super) fn kind(&self) -> Kind {
        match self.node {
            Node::File(_) => Kind::File,
            Node::Folder(_) => Kind::Folder,
            Node::Link(_) => Kind::Link,
        }
    }
}
