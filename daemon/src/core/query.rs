//! What peers ask and the core answers at once, from what it knows: nothing changes by it, and nobody waits.
//!
//! Not here: questions that may have to wait ([`super::input::Question`]).

use tokend_proto::{ErrorReply, Explanation, NameRights, NameStatus, TokenName};

use super::Core;
use super::report::page::{Page, Part, Rest};
use super::time::Now;

/// What is to be read.
#[derive(Debug, Clone)]
pub enum Query {
    /// How names are doing.
    Status {
        /// Which of them.
        page: Box<Page<TokenName>>,
    },
    /// How one name is doing.
    StatusOf {
        /// Which.
        name: TokenName,
    },
    /// Which names there are for a reader, and what it may do with them.
    Rights {
        /// Which of them.
        page: Box<Page<TokenName>>,
    },
    /// Why a name is as it is.
    Explain {
        /// Which name.
        name: TokenName,
    },
}

/// What was read.
#[derive(Debug, Clone)]
pub enum View {
    /// By `Status` and `StatusOf`: in the order of their names.
    Status(Part<NameStatus, TokenName>),
    /// By `Rights`: in the order of their names.
    Rights(Part<NameRights, TokenName>),
    /// By `Explain`.
    Explanation(Box<Explanation>),
}

impl Core {
    /// Reads what is known now.
    ///
    /// # Errors
    /// As the peer gets it: there is no such name.
    pub fn query(&self, now: Now, query: &Query) -> Result<View, ErrorReply> {
        match query {
            Query::Status { page } => Ok(View::Status(self.status_page(now, page))),
            Query::StatusOf { name } => {
                let status = self.names.get(name).map(|entry| self.status_of(now, name, entry));
                Ok(View::Status(Part { entries: status.into_iter().collect(), rest: Rest::Nothing }))
            }
            Query::Rights { page } => Ok(View::Rights(self.rights_page(page))),
            Query::Explain { name } => self.explain(now, name).map(Box::new).map(View::Explanation),
        }
    }
}
