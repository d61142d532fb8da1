//! Why there is no figure.

use std::io;
use std::path::PathBuf;

/// Why a benchmark cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A program that is measured cannot be started, or ended at once.
    #[error("{program} cannot be run: {problem}")]
    Program {
        /// Which.
        program: String,
        /// In its words.
        problem: String,
    },
    /// A connection failed.
    #[error("the connection to {peer}")]
    Connection {
        /// Of whom.
        peer: &'static str,
        /// How.
        source: io::Error,
    },
    /// A server answered with something else than it did the first time, or without the token.
    #[error("{peer} answers with something that is not what was asked for")]
    Odd {
        /// Who.
        peer: &'static str,
    },
    /// A file of ours.
    #[error("{}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// How.
        source: io::Error,
    },
    /// The system refuses something that is everybody's right.
    #[error("{doing}")]
    System {
        /// What was done.
        doing: &'static str,
        /// How.
        source: io::Error,
    },
    /// A signal that ends programs has come.
    #[error("interrupted")]
    Interrupted,
    /// The packaged command line cannot be built.
    #[error(transparent)]
    Package(#[from] package::PackageError),
}

impl BenchError {
    pub(super) fn connection(peer: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::Connection { peer, source }
    }

    pub(super) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    pub(super) fn system<E: Into<io::Error>>(doing: &'static str) -> impl Fn(E) -> Self {
        move |source| Self::System { doing, source: source.into() }
    }

    pub(super) fn program(program: &str, problem: impl ToString) -> Self {
        Self::Program { program: program.to_owned(), problem: problem.to_string() }
    }
}
