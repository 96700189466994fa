//! What a loss of power can leave.
//!
//! The rules are the worst that POSIX allows: a file that was not synced holds nothing, the half or
//! all of what was written; a name that was made, moved or taken away since its folder was synced
//! may be so or not, each for itself. Only two things are never seen: a rename that is half done,
//! and a change of a name without the change of the same name before it.

use super::image::{Image, Inode, Op};

/// A change that is not sure to outlast the power.
#[derive(Debug, Clone)]
pub(in super::super) struct Pending {
    op: Op,
    /// What has not been synced since.
    unsynced: Vec<Inode>,
}

/// A moment at which the power can go.
#[derive(Debug, Clone)]
pub(in super::super) struct Power {
    pub(super) durable: Image,
    pub(super) pending: Vec<Pending>,
}

/// A sequence of numbers that looks random and is the same every time (xorshift64).
#[derive(Debug)]
pub(in super::super) struct Random(pub(in super::super) u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

impl Pending {
    pub(super) fn new(op: Op) -> Self {
        let unsynced = op.synced_by();
        Self { op, unsynced }
    }

    /// Takes out what is sure now that a file or folder is synced, in order.
    pub(super) fn settle(all: &mut Vec<Self>, inode: Inode) -> Vec<Op> {
        for one in all.iter_mut() {
            one.unsynced.retain(|unsynced| *unsynced != inode);
        }
        let mut sure: Vec<bool> = all.iter().map(|one| one.unsynced.is_empty()).collect();
        for later in (0..all.len()).rev() {
            for earlier in 0..later {
                sure[earlier] |= sure[later] && all[later].op.rests_on(&all[earlier].op);
            }
        }
        let mut settled = Vec::new();
        let mut index = 0;
        all.retain(|one| {
            if sure[index] {
                settled.push(one.op.clone());
            }
            index += 1;
            !sure[index - 1]
        });
        settled
    }

    /// In how many ways it can end.
    fn ways(&self) -> u64 {
        match self.op {
            Op::Fill { .. } => 3,
            _ => 2,
        }
    }
}

impl Power {
    /// The disks that can be found after it: all, or as many as `most` picked by chance.
    pub(in super::super) fn disks(&self, most: u64, random: &mut Random) -> Vec<Image> {
        let all = self
            .pending
            .iter()
            .try_fold(1_u64, |count, one| count.checked_mul(one.ways()))
            .unwrap_or(u64::MAX);
        if all <= most {
            return (0..all).map(|number| self.disk(number)).collect();
        }
        (0..most)
            .map(|_| {
                let number = random.below(all);
                self.disk(number)
            })
            .collect()
    }

    /// The disk on which each pending change ended as the number's digits say.
    fn disk(&self, mut number: u64) -> Image {
        let mut disk = self.durable.clone();
        let mut done = vec![false; self.pending.len()];
        for (index, one) in self.pending.iter().enumerate() {
            let way = number % one.ways();
            number /= one.ways();
            let stands = (0..index)
                .all(|earlier| done[earlier] || !one.op.rests_on(&self.pending[earlier].op));
            if way == 0 || !stands {
                continue;
            }
            done[index] = true;
            match &one.op {
                Op::Fill { inode, bytes } if way == 1 => disk.apply(&Op::Fill {
                    inode: *inode,
                    bytes: bytes[..bytes.len() / 2].into(),
                }),
                op => disk.apply(op),
            }
        }
        disk
    }
}
