//! Every error code is shown by a test. A new code fails here until one names it.

use std::{fs, path::Path};

use quartermaster::error::{ErrorCode, Kind};
use strum::IntoEnumIterator;

/// Codes that no test brings about, and why.
const WITHOUT_TEST: [(ErrorCode, &str); 1] = [(ErrorCode::InternalError, "nothing is known that leads to it")];

#[test]
fn every_code_is_shown_by_a_test() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")];
    let mut text = String::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") && !path.ends_with("error_codes.rs") {
                text.push_str(&fs::read_to_string(path).expect("text"));
            }
        }
    }
    for code in ErrorCode::iter() {
        let word = match (code, code.kind()) {
            // Where the contracts have words of their own, those are what tests see.
            (_, Kind::Invalid | Kind::UnsupportedMediaType | Kind::TooLarge) => "invalid_request".to_owned(),
            (ErrorCode::WorkspaceSuspended, _) => "permission_denied".to_owned(),
            (
                ErrorCode::ChatNotFound
                | ErrorCode::MessageNotFound
                | ErrorCode::FileNotFound
                | ErrorCode::TemplateNotFound
                | ErrorCode::TextTemplateNotFound
                | ErrorCode::ResponsibleNotFound
                | ErrorCode::TeamNotFound
                | ErrorCode::AccountNotFound
                | ErrorCode::WebhookNotFound,
                _,
            ) => "not_found".to_owned(),
            (
                ErrorCode::TooManyTemplates
                | ErrorCode::TooManyInvitations
                | ErrorCode::InvitationAccepted
                | ErrorCode::ReactionRefused,
                _,
            ) => "validation_error".to_owned(),
            (ErrorCode::ChannelNotConnected, _) => "account_inactive".to_owned(),
            (ErrorCode::ApiCallsExhausted, _) => "quota_exceeded".to_owned(),
            (ErrorCode::BotNotFound, _) => "RESOURCE_NOT_FOUND".to_owned(),
            (ErrorCode::ChannelNotFound, _) => "CHANNEL_NOT_FOUND".to_owned(),
            (ErrorCode::TooManyBots, _) => "CONFLICT".to_owned(),
            (ErrorCode::ChannelExists, _) => "CHANNEL_ALREADY_EXISTS".to_owned(),
            (ErrorCode::ChannelLimitReached, _) => "CHANNEL_LIMIT_REACHED".to_owned(),
            (ErrorCode::NoConnector, _) => "NO_CONNECTOR".to_owned(),
            (ErrorCode::QrCodeNotAvailable, _) => "QR_CODE_NOT_AVAILABLE".to_owned(),
            (ErrorCode::ChannelRefused, _) => "CHANNEL_ERROR".to_owned(),
            (ErrorCode::WebhookExists, _) => "validation_error".to_owned(),
            (ErrorCode::WebhookLimitReached, _) => "plan_feature_unavailable".to_owned(),
            _ => code.to_string(),
        };
        let is_shown = text.contains(&format!("\"{word}\""));
        let is_excused = WITHOUT_TEST.iter().any(|(excused, _)| *excused == code);
        assert!(is_shown || is_excused, "no test shows {word}: write one, or say in WITHOUT_TEST why there is none");
        assert!(!(is_shown && is_excused), "{word} is shown: take it out of WITHOUT_TEST");
    }
}

#[test]
fn codes_explain_themselves() {
    for code in ErrorCode::iter() {
        assert!(!code.title().is_empty() && !code.advice().is_empty(), "{code}");
        assert!(code.to_string().bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_')), "{code}");
    }
}
