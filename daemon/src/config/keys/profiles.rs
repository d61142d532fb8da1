//! What a profile says, by its kind.

use clap::ValueEnum;

use super::key::Unsaid::{Example, Needed, Words};
use super::key::{Key, Table};

/// What a profile holds the credentials of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum ProfileKind {
    /// HPE Aruba Networking Central: 2-hour tokens
    Central,
    /// HPE GreenLake, also for the tenants of an MSP: 15-minute tokens
    Glp,
    /// Classic Central: rotating refresh tokens
    Classic,
    /// Any OAuth 2.0 token endpoint that takes client_credentials, such as ClearPass's
    Oauth2,
}

/// What is written of a kind.
#[derive(Debug)]
pub struct Kind {
    /// Its word in the configuration.
    pub word: &'static str,
    /// The profile that stands for it in what is written.
    pub example: &'static str,
    /// The keys that it has beside those of all profiles.
    pub keys: &'static Table,
    /// A section of its own below that, and its name.
    pub below: Option<(&'static Table, &'static str)>,
}

impl ProfileKind {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Central, Self::Glp, Self::Classic, Self::Oauth2];

    /// What is written of it.
    #[must_use]
    pub fn about(self) -> &'static Kind {
        match self {
            Self::Central => &Kind { word: "central", example: "campus", keys: &CENTRAL, below: None },
            Self::Glp => &Kind { word: "glp", example: "msp", keys: &GLP, below: Some((&TENANTS, "tenants")) },
            Self::Classic => {
                &Kind { word: "classic", example: "legacy", keys: &CLASSIC, below: Some((&LOGIN, "login")) }
            }
            Self::Oauth2 => &Kind { word: "oauth2", example: "clearpass", keys: &OAUTH2, below: None },
        }
    }
}

/// What all profiles have.
pub const PROFILE: Table = Table {
    header: "[profiles.NAME]",
    doc: "One set of client credentials. Its token is called NAME: 1 to 64 letters, digits, `.`, `_` and `-`, of which the \
          first is a letter or a digit.",
    keys: &[
        Key {
            name: "kind",
            value: "\"central\", \"glp\", \"classic\" or \"oauth2\"",
            default: Needed,
            example: "\"central\"",
            doc: "What the credentials are for: HPE Aruba Networking Central, HPE GreenLake, Classic Central, or any \
                  other OAuth 2.0 server.",
            instead_of: None,
        },
        Key {
            name: "client_id",
            value: "the client's id in quotes",
            default: Needed,
            example: "\"YOUR-CLIENT-ID\"",
            doc: "The id of the API client, as the provider shows it.",
            instead_of: None,
        },
        Key {
            name: "client_secret",
            value: "a source of a secret, or a list of 1 to 8 of them",
            default: Needed,
            example: "{ credential = \"campus\" }",
            doc: "The secret that belongs to `client_id`. A list is tried in order, the one that worked last first: to roll \
                  a secret over without a gap, put the new one before the old one, reload, and change it at the provider.",
            instead_of: None,
        },
        Key {
            name: "ca_file",
            value: "an absolute path",
            default: Words("the system's authorities alone"),
            example: "\"/etc/tokend/example-ca.pem\"",
            doc: "A PEM file of authorities that are trusted for this profile in addition to the system's. While it cannot \
                  be read, nothing is sent for this profile; each attempt reads it again.",
            instead_of: None,
        },
        Key {
            name: "allow_plain_http",
            value: "true or false",
            default: Example,
            example: "false",
            doc: "Allows an address of this profile to begin with http://, if it is 127.x.x.x or [::1] written as such. For \
                  tests.",
            instead_of: None,
        },
    ],
};

/// What only `kind = "central"` has.
pub const CENTRAL: Table = Table {
    header: "[profiles.NAME] with kind = \"central\"",
    doc: "HPE Aruba Networking Central. A token lives for 2 hours.",
    keys: &[Key {
        name: "token_endpoint",
        value: "a URL",
        default: Example,
        example: "\"https://sso.common.cloud.hpe.com/as/token.oauth2\"",
        doc: "The whole URL that is asked for tokens.",
        instead_of: None,
    }],
};

/// What only `kind = "glp"` has.
pub const GLP: Table = Table {
    header: "[profiles.NAME] with kind = \"glp\"",
    doc: "HPE GreenLake. A token lives for 15 minutes.",
    keys: &[
        Key {
            name: "workspace_id",
            value: "32 hex digits, with or without hyphens",
            default: Needed,
            example: "\"00000000-0000-0000-0000-000000000000\"",
            doc: "The id of the workspace that the client belongs to.",
            instead_of: None,
        },
        Key {
            name: "base_url",
            value: "a URL",
            default: Example,
            example: "\"https://global.api.greenlake.hpe.com\"",
            doc: "Where GreenLake is; paths are appended.",
            instead_of: None,
        },
        Key {
            name: "tenants",
            value: "a section [profiles.NAME.tenants]",
            default: Words("tokens of tenants are not given out"),
            example: "{}",
            doc: "Allows tokens of the tenants of an MSP workspace, called NAME/TENANT. See below.",
            instead_of: None,
        },
    ],
};

/// The tenants of an MSP.
pub const TENANTS: Table = Table {
    header: "[profiles.NAME.tenants]",
    doc: "Allows tokens of the tenants of an MSP workspace by exchange. They are called NAME/TENANT, where TENANT is the \
          tenant's workspace id or name. Those that are not listed here are fetched when somebody asks, and renewed while \
          somebody reads them: at most 2,112 at once, of which a user alone gets 1,024, several users get equal shares, and \
          64 are kept for root and the daemon's own user.",
    keys: &[Key {
        name: "warm",
        value: "a list of workspace ids and names",
        default: Words("none"),
        example: "[\"Acme Corp\", \"497f6eca-6276-4993-bfeb-53cbbbba6f08\"]",
        doc: "Tenants whose tokens are always fresh.",
        instead_of: None,
    }],
};

/// What only `kind = "classic"` has.
pub const CLASSIC: Table = Table {
    header: "[profiles.NAME] with kind = \"classic\"",
    doc: "Classic Central. An access token lives for 2 hours; its refresh token can be used once, within 14 days, and \
          brings the next pair: a chain. `tokenctl import` begins one with what Download Token in the web UI gave, or \
          `login` does. `cluster` or `base_url` has to be there.",
    keys: &[
        Key {
            name: "cluster",
            value: "a cluster's name",
            default: Words("none: then base_url has to be there"),
            example: "\"EU-1\"",
            doc: "The cluster of the account; it says where the API gateway is. One of US-1, US-2, US-WEST-4, \
                  US-WEST-5, US-EAST-1, EU-1, EU-CENTRAL-2, EU-CENTRAL-3, CANADA-1, APAC-1, APAC-EAST-1, APAC-SOUTH-1, \
                  UAE-NORTH-1 and CHINA-1; capitals do not matter.",
            instead_of: None,
        },
        Key {
            name: "base_url",
            value: "a URL",
            default: Words("what cluster says"),
            example: "\"https://apigw-central.example.net\"",
            doc: "The API gateway, in place of `cluster`: for Central on premises, and for clusters that tokend does not \
                  know.",
            instead_of: Some("cluster"),
        },
        Key {
            name: "before",
            value: "a span of time, at most \"40m\"",
            default: Example,
            example: "\"10m\"",
            doc: "A token is renewed this long before it expires. The renewal ends the old token's life at once, so that \
                  this is not done earlier than needed.",
            instead_of: None,
        },
        Key {
            name: "param_style",
            value: "\"form\", \"query\" or \"json\"",
            default: Example,
            example: "\"form\"",
            doc: "How the credentials are sent: as a form or as JSON in the body of a request, or in its URL for a gateway that \
                  insists. A gateway that takes none of what is sent refuses it and spends nothing.",
            instead_of: None,
        },
        Key {
            name: "login",
            value: "a section [profiles.NAME.login]",
            default: Words("chains begin by import alone"),
            example: "{ username = \"api@example.net\", password = { credential = \"legacy-password\" }, customer_id = \"0a1b\" }",
            doc: "For users without SSO. See below.",
            instead_of: None,
        },
    ],
};

/// What only `kind = "oauth2"` has.
pub const OAUTH2: Table = Table {
    header: "[profiles.NAME] with kind = \"oauth2\"",
    doc: "Any token endpoint that takes the grant client_credentials (RFC 6749 section 4.4), such as that of ClearPass.",
    keys: &[
        Key {
            name: "token_endpoint",
            value: "a URL",
            default: Needed,
            example: "\"https://clearpass.example.net/api/oauth\"",
            doc: "The whole URL that is asked for tokens.",
            instead_of: None,
        },
        Key {
            name: "auth",
            value: "\"form\", \"basic\" or \"json\"",
            default: Example,
            example: "\"form\"",
            doc: "How the client shows who it is: with its id and secret in the form, by HTTP Basic, or with all parameters as \
                  a JSON object. ClearPass takes \"form\" and \"json\".",
            instead_of: None,
        },
        Key {
            name: "scope",
            value: "the scopes in quotes, with a blank between two of them",
            default: Words("none is sent"),
            example: "\"read write\"",
            doc: "What the token is to be good for, in the server's words.",
            instead_of: None,
        },
        Key {
            name: "audience",
            value: "the audience in quotes, as the server calls it",
            default: Words("none is sent"),
            example: "\"https://api.example.net\"",
            doc: "Whom the token is for. Some servers want to hear it.",
            instead_of: None,
        },
        Key {
            name: "life",
            value: "a span of time from \"10s\" to \"24h\"",
            default: Example,
            example: "\"5m\"",
            doc: "How long a token lives if the answer has no `expires_in`: what the server's documentation says.",
            instead_of: None,
        },
    ],
};

/// The login of a non-SSO user.
pub const LOGIN: Table = Table {
    header: "[profiles.NAME.login]",
    doc: "Begins a Classic chain with a user's name and password, and a new one when the provider has refused the old. For \
          users without SSO. A client gets one token per 30 minutes this way; tokend keeps to that across restarts.",
    keys: &[
        Key {
            name: "username",
            value: "the user's name in quotes",
            default: Needed,
            example: "\"api@example.net\"",
            doc: "The user's name.",
            instead_of: None,
        },
        Key {
            name: "password",
            value: "one source of a secret",
            default: Needed,
            example: "{ credential = \"legacy-password\" }",
            doc: "The user's password. A refused one is not tried again until its source has changed.",
            instead_of: None,
        },
        Key {
            name: "customer_id",
            value: "the id in quotes",
            default: Needed,
            example: "\"YOUR-CUSTOMER-ID\"",
            doc: "The id of the Central account.",
            instead_of: None,
        },
    ],
};
