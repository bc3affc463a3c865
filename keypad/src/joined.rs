//! Gateways that send everything typed so far, joined by `*`, with each request. The whole is worth as much as a session: after
//! a restart it is walked through again, and what it bought before is not bought twice, because its ids are the same.

use crate::desk::{Answer, Keypad, Who};
use crate::limits::PARTS_MAX;
use crate::sessions::SessionKey;
use charge::ids::digest128;
use wire::ussd::PageSize;

/// What a request brings.
pub struct Joined<'a> {
    /// The session's name, for keys.
    pub key: SessionKey,
    /// The session's name, for ids of commands.
    pub nonce: &'a str,
    /// Whose.
    pub who: Who,
    /// The code that was dialled.
    pub code: &'a str,
    /// Everything typed since, joined by `*`; empty at first.
    pub text: &'a str,
}

impl Keypad {
    /// Answers such a request.
    pub async fn joined(&self, asked: Joined<'_>) -> Answer {
        let parts: Vec<&str> = match asked.text {
            "" => Vec::new(),
            text => text.split('*').collect(),
        };
        if parts.len() > PARTS_MAX {
            self.ended(asked.key);
            return self.over();
        }
        let digest = |count: usize| digest128("ussd/joined", &[parts[..count].join("*").as_bytes()]);
        let fed = self
            .fed(asked.key)
            .await
            .filter(|(count, known)| *count <= parts.len() && *known == digest(*count));
        let (mut answer, from) = match fed {
            // The same again: the gateway did not hear us.
            Some((count, _)) if count == parts.len() => match self.last(asked.key).await {
                Some(answer) => return answer,
                None => (None, count),
            },
            Some((count, _)) => (None, count),
            None => {
                let whole = dialled(asked.code, &parts);
                let (text, from) = match self.takes_whole(asked.who, &whole).await {
                    true => (whole, parts.len()),
                    false => (dialled(asked.code, &[]), 0),
                };
                let begun = self
                    .begin_as(asked.key, asked.who, &text, (asked.nonce, PageSize::FULL))
                    .await;
                let from = if begun.last { parts.len() } else { from };
                (Some(begun), from)
            }
        };
        for part in parts.iter().skip(from) {
            let said = self.typed(asked.key, part, None).await;
            let last = said.last;
            answer = Some(said);
            if last {
                break;
            }
        }
        let answer = answer.unwrap_or_else(|| self.over());
        if answer.last {
            self.ended(asked.key);
        } else {
            self.feed(asked.key, (parts.len(), digest(parts.len())), &answer)
                .await;
        }
        answer
    }
}

/// The code with what was typed behind it: `*123#` and `1*2` make `*123*1*2#`.
fn dialled(code: &str, parts: &[&str]) -> String {
    let code = code.trim().trim_end_matches('#').trim_end_matches('*');
    let code = if code.starts_with(['*', '#']) {
        code.to_owned()
    } else {
        format!("*{code}")
    };
    let mut dialled = code;
    for part in parts {
        dialled.push('*');
        dialled.push_str(part.trim());
    }
    dialled.push('#');
    dialled
}
