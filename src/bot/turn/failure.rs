//! Why a bot did not answer.

use strum::{Display, EnumIter};

/// Why a bot did not answer, as one word for programs and in words for people. Neither repeats what an endpoint said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display, EnumIter)]
#[strum(serialize_all = "snake_case")]
pub enum Failure {
    /// Its address leads inside.
    AddressRefused,
    /// Nobody answers there, or the connection broke off.
    Unreachable,
    /// It took too long.
    TimedOut,
    /// It answered with a status that is no success.
    BadStatus(u16),
    /// What it answered cannot be read.
    BadAnswer,
    /// It answered too much to be read.
    AnswerTooLarge,
    /// What it said is too long for a message, or for one on the channel's network.
    ReplyTooLong,
    /// There are no credits for its reply.
    QuotaExceeded,
    /// There are no API calls for its reply.
    ApiCallsExhausted,
    /// The account cannot send.
    ChannelNotConnected,
    /// Workers died while they asked it, or its reply could not be sent for long.
    Abandoned,
    /// It has answered too often.
    Loop,
}

impl Failure {
    /// In words.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::AddressRefused => "its address leads to an address that is not public".to_owned(),
            Self::Unreachable => "its address cannot be reached".to_owned(),
            Self::TimedOut => "it did not answer in time".to_owned(),
            Self::BadStatus(status) => format!("it answered with the HTTP status {status}"),
            Self::BadAnswer => "its answer cannot be read".to_owned(),
            Self::AnswerTooLarge => "its answer is too large".to_owned(),
            Self::ReplyTooLong => "its reply is too long for a message on this network".to_owned(),
            Self::QuotaExceeded => "the message credits are used up".to_owned(),
            Self::ApiCallsExhausted => "the API calls of this period are used up".to_owned(),
            Self::ChannelNotConnected => "the account is not connected".to_owned(),
            Self::Abandoned => "it was tried too often, or too long".to_owned(),
            Self::Loop => "it has answered too often in this chat, and stays silent here until it is switched on \
                           again"
                .to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;

    #[test]
    fn every_failure_has_a_word_and_words() {
        for failure in Failure::iter() {
            let word = failure.to_string();
            assert!(word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{word}");
            assert!(failure.words().len() > 10, "{word}");
        }
    }
}
