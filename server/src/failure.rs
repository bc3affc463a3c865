//! How a command fails: an exit code, a sentence, and a hint.

use std::fmt;

/// What the exit code of a failed command says; 0 is success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 1: it did not work, or a check found something wrong.
    Failed,
    /// 2: the command line or the configuration is wrong.
    Usage,
    /// 3: the rules refuse it; nothing has changed.
    Refused,
    /// 4: the server or the data directory cannot be had now; trying again may help.
    Unavailable,
}

impl Kind {
    /// The exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Failed => 1,
            Kind::Usage => 2,
            Kind::Refused => 3,
            Kind::Unavailable => 4,
        }
    }

    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Failed => "failed",
            Kind::Usage => "usage",
            Kind::Refused => "refused",
            Kind::Unavailable => "unavailable",
        }
    }
}

/// A failure with its kind and, where there is one, what to do about it. Travels inside `anyhow::Error`.
#[derive(Debug)]
pub struct Failure {
    /// Decides the exit code.
    pub kind: Kind,
    /// What happened, lower case, without full stop.
    pub message: String,
    /// What to do, as a sentence.
    pub hint: Option<String>,
    /// Stable code of the refusal, when the API gave one.
    pub code: Option<String>,
}

impl Failure {
    /// A failure of a kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Failure {
        Failure {
            kind,
            message: message.into(),
            hint: None,
            code: None,
        }
    }

    /// A mistake in what the caller wrote.
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Kind::Usage, message)
    }

    /// Something that cannot be reached now.
    pub fn unavailable(message: impl Into<String>) -> Failure {
        Failure::new(Kind::Unavailable, message)
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// A whole chain of causes as one line: `open the data: the directory is in use`.
pub fn chain(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        // Some libraries repeat their cause in their own text.
        if !line.ends_with(&text) {
            if !line.is_empty() {
                line.push_str(": ");
            }
            line.push_str(&text);
        }
    }
    line
}

/// The kind, hint and code of an error, from the first [`Failure`] in its chain.
pub fn find(error: &anyhow::Error) -> Option<&Failure> {
    error.chain().find_map(|cause| cause.downcast_ref::<Failure>())
}

/// The kind of an error: what was said, or plain failure. A data directory in use is worth another try.
pub fn kind(error: &anyhow::Error) -> Kind {
    if let Some(failure) = find(error) {
        return failure.kind;
    }
    let locked = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<store::StoreError>())
        .any(|cause| matches!(cause, store::StoreError::Locked { .. }));
    if locked { Kind::Unavailable } else { Kind::Failed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn chains_are_one_line_and_keep_their_kind() {
        let failure = Failure::new(Kind::Refused, "the float is too low").hint("Fund it.");
        let error = Err::<(), _>(failure).context("top up 923001234567").unwrap_err();
        assert_eq!(chain(&error), "top up 923001234567: the float is too low");
        assert_eq!(kind(&error), Kind::Refused);
        assert_eq!(find(&error).and_then(|f| f.hint.as_deref()), Some("Fund it."));
        assert_eq!(kind(&anyhow::anyhow!("other")), Kind::Failed);
    }
}
