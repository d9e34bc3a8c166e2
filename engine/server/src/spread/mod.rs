//! Several executors (`client.cores` above 0): client connections on executors of their own, the replica on its own.
//!
//! They share nothing that changes but the published tree, which client executors only read. Requests go to the replica
//! and bulletins come back, one message per turn and direction. A bulletin is in every mailbox before the tree that
//! shows it is published, so an event always precedes the data that it announces.

mod bell;
mod hub;
mod inquiry;
mod outpost;
mod post;
mod published;

pub(crate) use hub::Hub;
pub(crate) use inquiry::{Errand, Inquiry, Part};
pub(crate) use outpost::Outpost;

use crate::four_letter::Needs;
use crate::turn::Words;
use post::Letter;
pub(crate) use post::{Office, Post, Request};
use published::Published;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// What connects the replica's executor with the client executors, and whoever asks with all of them. With one executor
/// there is no post.
#[derive(Clone)]
pub(crate) struct Exchange {
    office: Arc<Office>,
    posts: Arc<[Post]>,
    /// Client executors that still serve.
    serving: Arc<AtomicUsize>,
}

impl Exchange {
    /// For so many client executors.
    pub(crate) fn new(client_executors: u8) -> Exchange {
        Exchange {
            office: Arc::default(),
            posts: (0..client_executors).map(|_| Post::default()).collect(),
            serving: Arc::new(AtomicUsize::new(usize::from(client_executors))),
        }
    }

    /// Asks all executors for facts, after they have done the errand.
    pub(crate) fn inquire(&self, needs: Needs, errand: Option<Errand>) -> Arc<Inquiry> {
        let inquiry = Arc::new(Inquiry::new(needs, errand, self.posts.len() + 1));
        for post in &*self.posts {
            post.send(Letter::Inquiry(Arc::clone(&inquiry)));
        }
        self.office.send(Request::Inquiry(Arc::clone(&inquiry)));
        inquiry
    }

    /// The mailbox of the replica's executor.
    pub(crate) fn office(&self) -> &Office {
        &self.office
    }

    /// Number of client executors.
    pub(crate) fn client_executors(&self) -> u8 {
        u8::try_from(self.posts.len()).expect("made from a u8")
    }
}

/// What a client executor is started with, once there is a tree to read.
pub(crate) struct Posting {
    pub(crate) index: u8,
    pub(crate) exchange: Exchange,
    pub(crate) published: Published,
    pub(crate) words: Arc<Words>,
}
