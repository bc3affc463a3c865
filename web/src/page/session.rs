//! Who is looking: visitor cookie, sign-ins, one-time codes, form tokens.

use crate::api::auth::same_bytes;
use crate::limits;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use charge::time::SECOND;
use charge::{AccountId, Msisdn, Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// What identifies a browser: 256 random bits in a cookie. Only its hash is kept here.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl Token {
    /// A new one.
    pub fn random() -> Token {
        Token(rand::random())
    }

    /// From the cookie.
    pub fn parse(text: &str) -> Option<Token> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        bytes.try_into().ok().map(Token)
    }

    /// For the cookie.
    pub fn cookie(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What is kept.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }

    /// The token of this browser's forms.
    pub fn form_token(&self, secret: &[u8; 32]) -> String {
        URL_SAFE_NO_PAD.encode(&keyed(secret, "form", &[&self.0])[..16])
    }

    /// Whether a form comes from a page that we gave to this browser.
    pub fn owns_form(&self, secret: &[u8; 32], form_token: &str) -> bool {
        same_bytes(self.form_token(secret).as_bytes(), form_token.as_bytes())
    }
}

/// A sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// The account.
    pub account: AccountId,
    /// Its number.
    pub msisdn: Msisdn,
    /// It ends then.
    pub expires_at: Timestamp,
}

/// Sign-ins and codes under way, in the memory of this process: after a restart people sign in again.
pub struct Sessions {
    sign_ins: Mutex<Bounded<[u8; 32], SignIn>>,
    codes: Mutex<Bounded<([u8; 32], Msisdn), CodeSent>>,
}

struct CodeSent {
    digest: [u8; 32],
    expires_at: Timestamp,
    tries: u8,
}

impl Default for Sessions {
    fn default() -> Sessions {
        Sessions {
            sign_ins: Mutex::new(Bounded::new(limits::SESSIONS_MAX)),
            codes: Mutex::new(Bounded::new(limits::CODES_MAX)),
        }
    }
}

impl Sessions {
    /// Makes a code for a browser and a number. An older one for both is worthless from now on.
    pub fn new_code(&self, secret: &[u8; 32], token: &Token, number: Msisdn, now: Timestamp) -> String {
        let code = format!("{:06}", rand::random_range(0..1_000_000));
        let sent = CodeSent {
            digest: code_digest(secret, number, &code),
            expires_at: now.plus(limits::CODE_S * SECOND),
            tries: 0,
        };
        self.codes.lock().insert((token.hash(), number), sent);
        code
    }

    /// Whether this is the code; it works once, for five minutes and five tries.
    pub fn take_code(
        &self,
        secret: &[u8; 32],
        token: &Token,
        number: Msisdn,
        code: &str,
        now: Timestamp,
    ) -> bool {
        let key = (token.hash(), number);
        let digest = code_digest(secret, number, code);
        let mut codes = self.codes.lock();
        let Some(sent) = codes.get_mut(&key) else {
            return false;
        };
        let right = same_bytes(&sent.digest, &digest) && sent.expires_at > now;
        sent.tries += 1;
        if right || sent.tries >= limits::CODE_TRIES_MAX {
            codes.remove(&key);
        }
        right
    }

    /// Signs a browser in. It gets a new token, so that one planted before is worthless.
    pub fn sign_in(&self, account: AccountId, msisdn: Msisdn, now: Timestamp) -> Token {
        let token = Token::random();
        let sign_in = SignIn {
            account,
            msisdn,
            expires_at: now.plus(limits::SESSION_S * SECOND),
        };
        self.sign_ins.lock().insert(token.hash(), sign_in);
        token
    }

    /// The sign-in of a browser.
    pub fn of(&self, token: &Token, now: Timestamp) -> Option<SignIn> {
        let mut sign_ins = self.sign_ins.lock();
        let hash = token.hash();
        let sign_in = *sign_ins.get_mut(&hash)?;
        if sign_in.expires_at <= now {
            sign_ins.remove(&hash);
            return None;
        }
        Some(sign_in)
    }

    /// Signs a browser out.
    pub fn sign_out(&self, token: &Token) {
        self.sign_ins.lock().remove(&token.hash());
    }
}

fn code_digest(secret: &[u8; 32], number: Msisdn, code: &str) -> [u8; 32] {
    keyed(secret, "code", &[&number.number().to_be_bytes(), code.as_bytes()])
}

fn keyed(secret: &[u8; 32], label: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(label.as_bytes());
    for part in parts {
        mac.update(&[0]);
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// A map that forgets its oldest entries when it is full.
struct Bounded<K, V> {
    entries: HashMap<K, (u64, V)>,
    order: VecDeque<(u64, K)>,
    next: u64,
    max: usize,
}

impl<K: Hash + Eq + Clone, V> Bounded<K, V> {
    fn new(max: usize) -> Bounded<K, V> {
        Bounded {
            entries: HashMap::new(),
            order: VecDeque::new(),
            next: 0,
            max,
        }
    }

    fn insert(&mut self, key: K, value: V) {
        self.next += 1;
        self.entries.insert(key.clone(), (self.next, value));
        self.order.push_back((self.next, key));
        while self.entries.len() > self.max || self.order.len() > 2 * self.max {
            let Some((number, key)) = self.order.pop_front() else {
                break;
            };
            if self
                .entries
                .get(&key)
                .is_some_and(|(current, _)| *current == number)
            {
                self.entries.remove(&key);
            }
        }
    }

    fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key).map(|(_, value)| value)
    }

    fn remove(&mut self, key: &K) {
        self.entries.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: [u8; 32] = [1; 32];

    fn number() -> Msisdn {
        Msisdn::parse("923001234567").unwrap()
    }

    #[test]
    fn a_code_works_once_for_five_minutes_and_five_tries() {
        let sessions = Sessions::default();
        let (token, other) = (Token::random(), Token::random());
        let now = Timestamp::from_seconds(1_000);
        let late = now.plus(limits::CODE_S * SECOND);
        let take = |token: &Token, code: &str, at| sessions.take_code(&SECRET, token, number(), code, at);
        let code = sessions.new_code(&SECRET, &token, number(), now);
        assert_eq!(code.len(), 6);
        assert!(!take(&other, &code, now), "another browser");
        assert!(take(&token, &code, now));
        assert!(!take(&token, &code, now), "once");
        let code = sessions.new_code(&SECRET, &token, number(), now);
        assert!(!take(&token, &code, late), "too late");
        let code = sessions.new_code(&SECRET, &token, number(), now);
        for _ in 0..limits::CODE_TRIES_MAX {
            assert!(!take(&token, "no", now));
        }
        assert!(!take(&token, &code, now), "five tries");
    }

    #[test]
    fn sign_ins_end() {
        let sessions = Sessions::default();
        let now = Timestamp::from_seconds(1_000);
        let token = sessions.sign_in(AccountId(7), number(), now);
        let parsed = Token::parse(&token.cookie()).unwrap();
        assert_eq!(sessions.of(&parsed, now).unwrap().account, AccountId(7));
        assert!(sessions.of(&Token::random(), now).is_none());
        assert!(
            sessions
                .of(&token, now.plus(limits::SESSION_S * SECOND))
                .is_none()
        );
        let token = sessions.sign_in(AccountId(7), number(), now);
        sessions.sign_out(&token);
        assert!(sessions.of(&token, now).is_none());
        assert!(token.owns_form(&SECRET, &token.form_token(&SECRET)));
        assert!(!token.owns_form(&SECRET, &Token::random().form_token(&SECRET)));
    }

    #[test]
    fn the_oldest_is_forgotten_when_it_is_full() {
        let mut map = Bounded::new(2);
        for key in 0..5 {
            map.insert(key, key);
            map.insert(4, 4);
        }
        assert!(map.entries.len() <= 2 && map.order.len() <= 4);
        assert!(map.get_mut(&4).is_some());
    }
}
