//! Routing: a notification takes every route that matches it. Pure.

use std::collections::HashSet;

/// All routes, in the order of the configuration.
#[derive(Debug)]
pub(crate) struct Routes(Vec<Route>);

/// One route.
#[derive(Debug)]
pub(crate) struct Route {
    /// The user ids it matches; `None` matches all.
    pub(crate) users: Option<HashSet<String>>,
    /// The event types it matches; `None` matches all.
    pub(crate) types: Option<Vec<TypePattern>>,
    /// The indexes of its destinations.
    pub(crate) to: Vec<usize>,
}

/// An event type, or a prefix of event types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TypePattern {
    /// This type.
    Exact(String),
    /// Every type with this prefix.
    Prefix(String),
}

impl TypePattern {
    /// Reads `millrace.notification.requested`, or `millrace.*`.
    pub(crate) fn parse(text: &str) -> Self {
        match text.strip_suffix('*') {
            Some(prefix) => Self::Prefix(prefix.to_owned()),
            None => Self::Exact(text.to_owned()),
        }
    }

    fn matches(&self, event_type: &str) -> bool {
        match self {
            Self::Exact(name) => name == event_type,
            Self::Prefix(prefix) => event_type.starts_with(prefix),
        }
    }
}

impl Route {
    fn matches(&self, user_id: &str, event_type: &str) -> bool {
        self.users.as_ref().is_none_or(|users| users.contains(user_id))
            && self.types.as_ref().is_none_or(|types| types.iter().any(|pattern| pattern.matches(event_type)))
    }
}

impl Routes {
    pub(crate) fn new(routes: Vec<Route>) -> Self {
        Self(routes)
    }

    /// The indexes of a notification's destinations, each once.
    pub(crate) fn destinations(&self, user_id: &str, event_type: &str) -> Vec<usize> {
        let mut found = Vec::new();
        for route in self.0.iter().filter(|route| route.matches(user_id, event_type)) {
            for &destination in &route.to {
                if !found.contains(&destination) {
                    found.push(destination);
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(users: &[&str], types: &[&str], to: &[usize]) -> Route {
        let users = users.iter().map(|&user| user.to_owned()).collect();
        let types: Vec<_> = types.iter().map(|text| TypePattern::parse(text)).collect();
        Route {
            users: Some(users).filter(|users: &HashSet<_>| !users.is_empty()),
            types: Some(types).filter(|types| !types.is_empty()),
            to: to.to_vec(),
        }
    }

    #[test]
    fn all_matching_routes_apply_and_destinations_are_distinct() {
        let routes = Routes::new(vec![
            route(&["ann", "bob"], &[], &[1, 2]),
            route(&[], &["millrace.notification.alert.*"], &[3]),
            route(&["ann"], &["millrace.notification.requested"], &[2, 4]),
        ]);
        assert_eq!(routes.destinations("ann", "millrace.notification.requested"), [1, 2, 4]);
        assert_eq!(routes.destinations("ann", "millrace.notification.alert.fire"), [1, 2, 3]);
        assert_eq!(routes.destinations("eve", "millrace.notification.alert.fire"), [3]);
        assert!(routes.destinations("eve", "millrace.notification.requested").is_empty());
        assert!(routes.destinations("Ann", "millrace.notification.alert").is_empty());
    }
}
