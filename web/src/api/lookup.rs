//! Whose number is this: portability first, number range second.

use super::auth::Caller;
use super::json::{Decimal, Json};
use crate::number;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use axum::extract::{Path, State};
use charge::catalog::{Catalog, Language};
use charge::partner::Scopes;
use charge::{AccountId, Code, Entity, EntityKey, Msisdn, Refusal};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// An operator.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OperatorName {
    /// Short name for requests: `jazz`.
    pub code: String,
    /// Name for people, in English.
    pub name: String,
}

impl OperatorName {
    /// Of a catalog.
    pub fn of(catalog: &Catalog) -> OperatorName {
        OperatorName {
            code: catalog.code.to_string(),
            name: catalog.name.get(Language::En).to_owned(),
        }
    }
}

/// How an operator was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LookupSource {
    /// By the directory: our subscribers, and numbers known to be ported.
    Directory,
    /// By the number range; the number may have been ported since.
    Prefix,
}

/// What is known of a number.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Lookup {
    /// The number in international form, digits only.
    pub msisdn: String,
    /// The number as it is dialled at home.
    pub national: String,
    /// True when an operator was found.
    pub identified: bool,
    /// The operator.
    pub operator: Option<OperatorName>,
    /// How it was found.
    pub source: Option<LookupSource>,
    /// True when the number can be recharged here.
    pub rechargeable: bool,
}

/// A number with what the directory knows.
pub struct Found<'a> {
    /// The number.
    pub msisdn: Msisdn,
    /// Its operator here.
    pub operator: Option<&'a Catalog>,
    /// How it was found.
    pub source: Option<LookupSource>,
    /// Its account here.
    pub account: Option<AccountId>,
}

/// Reads and looks up a number.
///
/// # Errors
/// [`Fault::BadNumber`], or what the core says.
pub async fn find<'a>(web: &'a Web, typed: &str) -> Result<Found<'a>, Problem> {
    let msisdn =
        number::parse(typed, web.catalogs()).ok_or_else(|| Problem::field(Fault::BadNumber, "msisdn"))?;
    let entity = web.parts.core.read(EntityKey::Number(msisdn)).await?;
    let record = entity.as_ref().and_then(Entity::number);
    let (operator, source) = match record {
        Some(record) => (web.catalog(record.operator), LookupSource::Directory),
        None => {
            let by_prefix = web.catalogs().operator_by_prefix(msisdn);
            (by_prefix.map(std::convert::AsRef::as_ref), LookupSource::Prefix)
        }
    };
    Ok(Found {
        msisdn,
        operator,
        source: operator.map(|_| source),
        account: record.and_then(|record| record.account),
    })
}

/// Who is recharged.
#[derive(Clone, Copy, Debug)]
pub struct Recipient<'a> {
    /// The account; 0 for a connector's and in the sandbox.
    pub account: AccountId,
    /// The operator.
    pub catalog: &'a Catalog,
    /// The connector that leads to it; empty: it is served here.
    pub connector: Code,
}

impl<'a> Found<'a> {
    /// Who is recharged: an account here, or a number of an operator that a connector leads to.
    ///
    /// # Errors
    /// [`Fault::NoSubscriber`] when the number is served neither here nor by a connector.
    pub fn recipient(&self, web: &Web, test: bool) -> Result<Recipient<'a>, Problem> {
        if let (None, Some(catalog), false) = (self.account, self.operator, test)
            && let Some(connector) = web.connector(catalog.operator)
        {
            return Ok(Recipient {
                account: AccountId(0),
                catalog,
                connector,
            });
        }
        let (account, catalog) = self.payee(test)?;
        Ok(Recipient {
            account,
            catalog,
            connector: Code::EMPTY,
        })
    }

    /// The account and its catalog.
    ///
    /// # Errors
    /// [`Fault::NoSubscriber`] when the number is not served here.
    pub fn subscriber(&self) -> Result<(AccountId, &'a Catalog), Problem> {
        self.payee(false)
    }

    /// The account and its catalog. In the sandbox every number of an operator's range will do, and there is no account.
    ///
    /// # Errors
    /// [`Fault::NoSubscriber`] when the number is not served here.
    pub fn payee(&self, test: bool) -> Result<(AccountId, &'a Catalog), Problem> {
        if test {
            return Ok((AccountId(0), self.operator.ok_or(Fault::NoSubscriber)?));
        }
        let account = self.account.ok_or(Fault::NoSubscriber)?;
        let catalog = self.operator.ok_or(Refusal::NoSuchOperator)?;
        Ok((account, catalog))
    }
}

/// Find the operator of a number
#[utoipa::path(get, path = "/v1/lookup/{msisdn}", tag = "recharge",
    params(("msisdn" = String, Path, description = "0300..., +92300... or 92300...")),
    responses((status = 200, body = Lookup)))]
pub async fn lookup(
    State(web): State<Web>,
    caller: Caller,
    Path(typed): Path<String>,
) -> Result<Json<Lookup>, Problem> {
    caller.require(Scopes::TOP_UP)?;
    let found = find(&web, &typed).await?;
    Ok(Json(Lookup {
        msisdn: found.msisdn.to_string(),
        national: number::shown(found.msisdn, web.catalogs()),
        identified: found.operator.is_some(),
        operator: found.operator.map(OperatorName::of),
        source: found.source,
        rechargeable: found.recipient(&web, caller.test).is_ok(),
    }))
}

/// An operator as its number ranges and limits are, for sellers that must do without a connection at times.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OperatorAnswer {
    /// Short name for requests: `jazz`.
    pub code: String,
    /// Name for people, by language: en, ur, zh.
    pub name: BTreeMap<String, String>,
    /// ISO 4217.
    pub currency: String,
    /// Country code, digits.
    pub country: String,
    /// What is dialled at home in place of the country code.
    pub trunk: String,
    /// Digits of a number after the country code.
    pub national_digits: u8,
    /// Its number ranges, with the country code. Numbers may have been ported.
    pub prefixes: Vec<String>,
    /// Smallest recharge.
    pub minimum: Decimal,
    /// Largest recharge.
    pub maximum: Decimal,
}

impl OperatorAnswer {
    fn of(catalog: &Catalog) -> OperatorAnswer {
        let name = |language: Language| (language.tag().to_owned(), catalog.name.get(language).to_owned());
        let numbering = &catalog.numbering;
        OperatorAnswer {
            code: catalog.code.to_string(),
            name: Language::ALL.into_iter().map(name).collect(),
            currency: catalog.currency.clone(),
            country: numbering.country.value.to_string(),
            trunk: numbering.trunk.clone(),
            national_digits: numbering.national_digits,
            prefixes: numbering
                .prefixes
                .iter()
                .map(|prefix| prefix.value.to_string())
                .collect(),
            minimum: Decimal(catalog.recharge.minimum),
            maximum: Decimal(catalog.recharge.maximum),
        }
    }
}

/// The operators that a key may recharge.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OperatorList {
    /// The operators.
    pub operators: Vec<OperatorAnswer>,
}

/// See the operators that can be recharged
#[utoipa::path(get, path = "/v1/operators", tag = "recharge", responses((status = 200, body = OperatorList)))]
pub async fn operators(State(web): State<Web>, caller: Caller) -> Result<Json<OperatorList>, Problem> {
    caller.require(Scopes::TOP_UP)?;
    let mine = web
        .catalogs()
        .iter()
        .filter(|catalog| caller.may_see(catalog.operator).is_ok());
    Ok(Json(OperatorList {
        operators: mine.map(|catalog| OperatorAnswer::of(catalog)).collect(),
    }))
}
