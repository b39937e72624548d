//! What fakes of providers share: how their next answer is troubled, and how they call back.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use poem::{IntoResponse, Response, http::StatusCode};

/// How an answer goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Too many requests, with or without a word on how long to wait.
    Limited(Option<u64>),
    /// 503: nothing was taken.
    Unavailable,
    /// 500: nobody knows.
    Broken,
    /// It is taken, and the answer does not come.
    AnswerLost,
    /// It is not taken, and the answer does not come.
    RequestLost,
    /// It is taken, and the answer is cut off.
    CutOff,
    /// 400.
    Refused,
}

impl Trouble {
    /// Whether the provider does what it was asked in spite of it.
    pub(crate) const fn is_done(&self) -> bool {
        matches!(self, Self::AnswerLost | Self::CutOff)
    }

    /// The answer.
    pub(crate) async fn answer(&self) -> Response {
        let status = |code: u16| Response::builder().status(StatusCode::from_u16(code).expect("a status"));
        match self {
            Self::Limited(None) => status(429).finish(),
            Self::Limited(Some(seconds)) => status(429).header("Retry-After", seconds.to_string()).finish(),
            Self::Unavailable => status(503).finish(),
            Self::Broken => status(500).body("{\"statusCode\":500}"),
            Self::AnswerLost | Self::RequestLost => {
                tokio::time::sleep(Duration::from_secs(3600)).await;
                status(200).finish()
            }
            Self::CutOff => "{\"id\":".into_response(),
            Self::Refused => status(400).body("{\"statusCode\":400}"),
        }
    }
}

/// Troubles to come.
#[derive(Clone, Default)]
pub(crate) struct Troubles(Arc<Mutex<VecDeque<Trouble>>>);

impl Troubles {
    pub(crate) fn add(&self, trouble: Trouble) {
        self.0.lock().expect("a lock").push_back(trouble);
    }

    pub(crate) fn next(&self) -> Option<Trouble> {
        self.0.lock().expect("a lock").pop_front()
    }
}
