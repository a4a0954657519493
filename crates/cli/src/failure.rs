//! Why a command ends early, and with which exit code.

use golive_check::exit::Exit;

/// Why a command ended early, and with which code.
pub(crate) struct Failure {
    pub(crate) error: anyhow::Error,
    pub(crate) exit: Exit,
}

impl Failure {
    /// The command line is wrong.
    pub(crate) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self {
            error: error.into(),
            exit: Exit::Usage,
        }
    }

    /// Whether our reader has read enough.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        let io = self.error.downcast_ref::<std::io::Error>();
        io.is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    }

    /// The machine or the subject is not as it should be.
    pub(crate) fn environment(error: impl Into<anyhow::Error>) -> Self {
        Self {
            error: error.into(),
            exit: Exit::Environment,
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::environment(error)
    }
}
