//! What stays wrong for good in a run that asks for liveness: any of it must be borne as long as a quorum of voters is
//! well and connected. Faults that always heal hide livelocks.

use ringkeeper_txnlog::sim::Rng;

/// Something that stays wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Permanent {
    /// The server is off.
    Down(usize),
    /// The process stands still, its connections stay open.
    Paused(usize),
    /// The server is not heard by anybody, but hears.
    Mute(usize),
    /// The server hears nobody, but is heard.
    Deaf(usize),
    /// No link between the two; both may have links to everybody else.
    Cut(usize, usize),
    /// Nothing gets from the first to the second.
    OneWay(usize, usize),
    /// The disk does nothing.
    HungDisk(usize),
}

/// Faults that leave a quorum of mutually connected voters alone.
pub(super) fn draw(rng: &mut Rng, voters: usize) -> Vec<Permanent> {
    let mut order: Vec<usize> = (0..voters).collect();
    for at in (1..voters).rev() {
        order.swap(at, rng.below(at as u64 + 1) as usize);
    }
    let (well, rest) = order.split_at(voters / 2 + 1);
    let mut permanent = Vec::new();
    for &server in rest {
        let one = well[rng.below(well.len() as u64) as usize];
        permanent.push(match rng.below(9) {
            0 | 1 => Permanent::Down(server),
            2 => Permanent::Paused(server),
            3 => Permanent::Mute(server),
            4 => Permanent::Deaf(server),
            5 | 6 => Permanent::Cut(server, one),
            7 if rng.percent(50) => Permanent::OneWay(server, one),
            7 => Permanent::OneWay(one, server),
            _ => Permanent::HungDisk(server),
        });
    }
    permanent
}
