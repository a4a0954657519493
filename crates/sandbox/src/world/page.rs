//! Lists: `data`, `has_more`, `starting_after`, `limit` 1 to 100 (25).

use serde_json::{Value, json};

use crate::refusal::Refusal;

const DEFAULT_LIMIT: usize = 25;
const MAX_LIMIT: usize = 100;

#[derive(Debug)]
pub(crate) struct Page {
    limit: usize,
    after: Option<String>,
}

/// The pairs of a query, decoded; of a name that comes twice, the first counts.
#[derive(Debug)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    pub(crate) fn parse(query: Option<&str>) -> Self {
        Self(
            url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
                .into_owned()
                .collect(),
        )
    }

    pub(crate) fn find(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn page(&self) -> Result<Page, Refusal> {
        let limit = match self.find("limit").map(str::parse) {
            None => DEFAULT_LIMIT,
            Some(Ok(limit)) if (1..=MAX_LIMIT).contains(&limit) => limit,
            Some(_) => {
                return Err(Refusal::invalid_field(
                    "limit",
                    "invalid_format",
                    "must be a number from 1 to 100",
                ));
            }
        };
        Ok(Page {
            limit,
            after: self.find("starting_after").map(str::to_owned),
        })
    }
}

impl Page {
    /// The page of `all`, in its order, after the object named by the cursor. The filter comes
    /// after the cursor: an object that changed meanwhile still marks its place.
    pub(crate) fn of<T>(
        &self,
        all: &[T],
        id: impl Fn(&T) -> &str,
        keep: impl Fn(&T) -> bool,
        write: impl Fn(&T) -> Value,
    ) -> Result<Value, Refusal> {
        let from = match &self.after {
            None => 0,
            Some(after) => {
                let unknown =
                    || Refusal::invalid_field("starting_after", "invalid_format", "no such object");
                all.iter()
                    .position(|item| id(item) == after)
                    .ok_or_else(unknown)?
                    + 1
            }
        };
        let mut rest = all.iter().skip(from).filter(|item| keep(item));
        let data: Vec<Value> = rest.by_ref().take(self.limit).map(write).collect();
        Ok(json!({ "data": data, "has_more": rest.next().is_some() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(query: &str) -> Result<(Vec<u64>, bool), Refusal> {
        let all: Vec<String> = (0..10).map(|n| n.to_string()).collect();
        let even = |item: &String| item.parse::<u64>().unwrap() % 2 == 0;
        let page = Params::parse(Some(query)).page()?;
        let list = page.of(
            &all,
            |item| item,
            even,
            |item| json!(item.parse::<u64>().unwrap()),
        )?;
        let data = list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|n| n.as_u64().unwrap())
            .collect();
        Ok((data, list["has_more"].as_bool().unwrap()))
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_overlap() {
        assert_eq!(list("limit=2").unwrap(), (vec![0, 2], true));
        assert_eq!(
            list("limit=2&starting_after=2").unwrap(),
            (vec![4, 6], true)
        );
        assert_eq!(list("limit=2&starting_after=6").unwrap(), (vec![8], false));
        assert_eq!(
            list("limit=1&starting_after=7").unwrap(),
            (vec![8], false),
            "a filtered object still marks its place"
        );
        assert_eq!(list("").unwrap(), (vec![0, 2, 4, 6, 8], false));
    }

    #[test]
    fn a_limit_or_cursor_that_is_none_is_refused() {
        for query in ["limit=0", "limit=101", "limit=x", "starting_after=99"] {
            assert_eq!(list(query).unwrap_err().status, 422, "{query}");
        }
    }
}
