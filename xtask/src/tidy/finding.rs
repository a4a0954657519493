//! What a rule found.

use std::fmt;

/// One place where the tree breaks a rule, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    path: String,
    rule: String,
    mend: String,
    weight: Weight,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    Failure,
    Warning,
}

impl Finding {
    /// Breaks the gate.
    pub(crate) fn failure(
        path: impl Into<String>,
        rule: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            path: path.into(),
            rule: rule.into(),
            mend: mend.into(),
            weight: Weight::Failure,
        }
    }

    /// Is printed, and breaks nothing.
    pub(crate) fn warning(
        path: impl Into<String>,
        rule: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            weight: Weight::Warning,
            ..Self::failure(path, rule, mend)
        }
    }

    /// Whether the gate must stay shut.
    pub(crate) fn is_failure(&self) -> bool {
        self.weight == Weight::Failure
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path, rule, mend, ..
        } = self;
        let mark = if self.is_failure() { "" } else { "warning: " };
        write!(f, "{mark}{path}: {rule} — {mend}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_reads_path_rule_mend() {
        let finding = Finding::failure("a.rs", "too long", "split it");
        assert_eq!(finding.to_string(), "a.rs: too long — split it");
        let finding = Finding::warning("a.rs", "too long", "split it");
        assert_eq!(finding.to_string(), "warning: a.rs: too long — split it");
        assert!(!finding.is_failure());
    }
}
