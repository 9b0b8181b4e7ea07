//! API keys of merchants.

use api::key::{ApiKey, ApiKeys, CreateKey, CreatedKey};
use api::service::{Answer, Call, Caller, Keys, Reply};
use api::{Code, KeyId, Problem, Scope, Scopes};

use super::sales::house_problem;
use super::{Handle, by};
use crate::house;
use crate::wire;

/// Scopes as the bits that the house keeps, one for each place in [`Scope::ALL`].
pub fn scope_bits(scopes: Scopes) -> u32 {
    Scope::ALL
        .iter()
        .zip(0..)
        .filter(|(scope, _)| scopes.has(**scope))
        .map(|(_, bit)| 1 << bit)
        .sum()
}

/// The names of scopes that the house keeps.
pub(crate) fn scope_names(bits: u32) -> Vec<&'static str> {
    scopes(bits).iter().map(Scope::name).collect()
}

fn scopes(bits: u32) -> Scopes {
    Scope::ALL
        .iter()
        .zip(0..)
        .filter(|(_, bit)| bits & (1 << bit) != 0)
        .map(|(scope, _)| *scope)
        .collect()
}

fn shown(key: &commerce::house::ApiKey) -> ApiKey {
    ApiKey {
        id: KeyId(key.id),
        name: key.name.clone(),
        account: (&*key.account).into(),
        scopes: scopes(key.scopes),
        created_at: wire::time(key.created),
        revoked_at: key.revoked.map(wire::time),
    }
}

/// The account and scopes of a merchant who manages keys.
fn merchant(caller: &Caller) -> Result<(&str, Scopes), Problem> {
    match caller {
        Caller::Merchant {
            account, scopes, ..
        } => Ok((account, *scopes)),
        Caller::Buyer { .. } | Caller::Provider => Err(Problem::new(Code::ScopeMissing)),
    }
}

impl Handle {
    async fn create_key(&self, call: Call, body: CreateKey) -> Result<Answer<CreatedKey>, Problem> {
        let (account, held) = merchant(&call.caller)?;
        if !held.covers(body.asked()) || *account != *body.account {
            let detail = "a key makes only keys of its own account, with scopes that it has itself";
            return Err(Problem::because(Code::ScopeMissing, detail));
        }
        let asked = call
            .key
            .as_deref()
            .ok_or_else(|| Problem::new(Code::KeyMissing))?;
        let made = self
            .registry
            .house()
            .make_key_by(
                &by(&call.caller),
                &body.name,
                &body.account,
                scope_bits(body.asked()),
                Some(asked),
            )
            .await;
        let (key, secret) = made.map_err(|error| house_problem(&error))?;
        let (account, repeated) = ((&*key.account).into(), secret.is_none());
        let secret = secret.map(|secret| secret.text().into());
        let body = CreatedKey {
            id: KeyId(key.id),
            name: key.name,
            account,
            scopes: scopes(key.scopes),
            secret,
        };
        Ok(Answer {
            body,
            repeated,
            position: None,
        })
    }

    async fn revoke_key(&self, call: Call, id: KeyId) -> Result<Answer<ApiKey>, Problem> {
        let (account, _) = merchant(&call.caller)?;
        let house = self.registry.house();
        if house
            .book()
            .key(id.0)
            .is_none_or(|key| *key.account != *account)
        {
            return Err(Problem::new(Code::ApiKeyNotFound));
        }
        let revoked = house.revoke_key(id.0, &by(&call.caller)).await;
        revoked
            .map(|key| Answer::plain(shown(&key)))
            .map_err(|error| house_problem(&error))
    }

    fn list_keys(&self, call: &Call) -> Result<Answer<ApiKeys>, Problem> {
        let (account, _) = merchant(&call.caller)?;
        let house = self.registry.house().book();
        let keys = house
            .keys()
            .filter(|key| *key.account == *account)
            .map(shown)
            .collect();
        Ok(Answer::plain(ApiKeys { keys }))
    }
}

impl Keys for Handle {
    fn verify(&self, presented: &str) -> Result<Caller, Problem> {
        let unknown = || Problem::new(Code::NotAuthenticated);
        let (id, hash) = house::parse(presented).ok_or_else(unknown)?;
        let book = self.registry.house().book();
        let key = book.key(id);
        // Comparing hashes takes the same time wherever they differ; an unknown key is compared with nothing at all,
        // which tells only what its public number tells already.
        let known = key
            .filter(|key| hash == key.hash && key.revoked.is_none())
            .ok_or_else(unknown)?;
        Ok(Caller::Merchant {
            account: known.account.clone(),
            key: KeyId(id),
            scopes: scopes(known.scopes),
        })
    }

    fn create(&self, call: Call, body: CreateKey) -> Reply<'_, CreatedKey> {
        Box::pin(self.create_key(call, body))
    }

    fn list(&self, call: Call) -> Reply<'_, ApiKeys> {
        Box::pin(async move { self.list_keys(&call) })
    }

    fn revoke(&self, call: Call, key: KeyId) -> Reply<'_, ApiKey> {
        Box::pin(self.revoke_key(call, key))
    }
}
