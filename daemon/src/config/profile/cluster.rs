//! Clusters of Classic Central and their gateways, as the provider's documentation and public clients name them.

/// A cluster and the host of its gateway; `None` where that is not known.
const GATEWAYS: [(&str, Option<&str>); 15] = [
    ("US-1", Some("app1-apigw.central.arubanetworks.com")),
    ("US-2", Some("apigw-prod2.central.arubanetworks.com")),
    ("US-WEST-4", Some("apigw-uswest4.central.arubanetworks.com")),
    ("US-WEST-5", Some("apigw-uswest5.central.arubanetworks.com")),
    ("US-EAST-1", Some("apigw-us-east-1.central.arubanetworks.com")),
    ("EU-1", Some("eu-apigw.central.arubanetworks.com")),
    ("EU-CENTRAL-2", Some("apigw-eucentral2.central.arubanetworks.com")),
    ("EU-CENTRAL-3", Some("apigw-eucentral3.central.arubanetworks.com")),
    ("UK-1", None),
    ("CANADA-1", Some("apigw-ca.central.arubanetworks.com")),
    ("APAC-1", Some("api-ap.central.arubanetworks.com")),
    ("APAC-EAST-1", Some("apigw-apaceast.central.arubanetworks.com")),
    ("APAC-SOUTH-1", Some("apigw-apacsouth.central.arubanetworks.com")),
    ("UAE-NORTH-1", Some("apigw-uaenorth1.central.arubanetworks.com")),
    ("CHINA-1", Some("apigw.central.arubanetworks.com.cn")),
];

/// Why a cluster's name leads to no gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum ClusterError {
    /// No cluster has this name.
    Unknown,
    /// The cluster is known, its gateway is not.
    NoGateway,
}

/// URL of a cluster's gateway. Capitals do not matter.
pub(in crate::config) fn gateway(cluster: &str) -> Result<String, ClusterError> {
    let (_, host) =
        GATEWAYS.iter().find(|(name, _)| name.eq_ignore_ascii_case(cluster)).ok_or(ClusterError::Unknown)?;
    host.map(|host| format!("https://{host}")).ok_or(ClusterError::NoGateway)
}

/// All names of clusters whose gateway is known.
pub(in crate::config) fn names() -> Vec<&'static str> {
    GATEWAYS.iter().filter(|(_, host)| host.is_some()).map(|(name, _)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::profile::endpoint;

    #[test]
    fn every_known_gateway_is_an_address() {
        for name in names() {
            let endpoint = endpoint::known(&gateway(name).expect(name));
            assert!(endpoint.host.starts_with("https://") && endpoint.host.ends_with(":443"), "{name}");
        }
    }

    #[test]
    fn a_cluster_is_found_by_its_name() {
        assert_eq!(gateway("eu-1").as_deref(), Ok("https://eu-apigw.central.arubanetworks.com"));
        assert_eq!(gateway("CHINA-1").as_deref(), Ok("https://apigw.central.arubanetworks.com.cn"));
        assert_eq!(gateway("UK-1"), Err(ClusterError::NoGateway));
        assert_eq!(gateway("EU-9"), Err(ClusterError::Unknown));
    }
}
