//! Between a connection and the watcher of a name: the mailbox keeps the newest token and the newest health until the
//! watcher reads them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokend_proto::Reply;
use tokio::sync::Notify;

use crate::wire::{Answer, Failure};

/// Shared by the task of a connection and one watch.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    content: Mutex<Content>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Content {
    token: Option<Answer>,
    health: Option<Answer>,
    /// Any other reply: the daemon ends the watch with it.
    last: Option<Answer>,
    end: Option<Failure>,
    abandoned: bool,
}

/// What the watcher finds.
#[derive(Debug)]
pub(crate) enum Mail {
    Answer(Answer),
    /// The connection has ended, and with it the watch.
    End(Failure),
}

impl Mailbox {
    /// Replaces an older answer of the same kind.
    pub(crate) fn put(&self, answer: Answer) {
        let mut content = self.lock();
        match answer.reply {
            Reply::Token(_) => content.token = Some(answer),
            Reply::Health(_) => content.health = Some(answer),
            _ => content.last = Some(answer),
        }
        drop(content);
        self.changed.notify_one();
    }

    pub(crate) fn end(&self, failure: Failure) {
        self.lock().end = Some(failure);
        self.changed.notify_one();
    }

    /// Waits for the next item. Dropping this future loses nothing.
    pub(crate) async fn take(&self) -> Mail {
        loop {
            if let Some(found) = self.try_take() {
                return found;
            }
            self.changed.notified().await;
        }
    }

    fn try_take(&self) -> Option<Mail> {
        let mut content = self.lock();
        let news = content.token.take().or_else(|| content.health.take()).or_else(|| content.last.take());
        news.map(Mail::Answer).or_else(|| content.end.take().map(Mail::End))
    }

    /// The watcher is gone: nobody reads any more.
    pub(crate) fn abandon(&self) {
        *self.lock() = Content { abandoned: true, ..Content::default() };
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        self.lock().abandoned
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        // A panic cannot leave the content half changed: each change is a single step.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
