//! The chart as Helm renders it: its objects fit together, the program takes what they set, and unfit values are
//! refused.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::{Command, Output},
};

use quartermaster::config::KEYS;
use serde_json::{Value, json};

use crate::support::tools;

/// By kind and name.
type Objects = BTreeMap<(String, String), Value>;

/// Prints the documents of a YAML file as one JSON array; a key that stands twice in a mapping is an error.
const READ: &str = r"
import json, sys, yaml
class Strict(yaml.SafeLoader):
    pass
def mapping(loader, node):
    pairs = loader.construct_pairs(node, deep=True)
    assert len(dict(pairs)) == len(pairs), f'a key twice {node.start_mark}'
    return dict(pairs)
Strict.add_constructor('tag:yaml.org,2002:map', mapping)
print(json.dumps([document for document in yaml.load_all(open(sys.argv[1]), Strict) if document is not None]))
";

/// What has to be given.
fn least() -> Value {
    json!({
        "image": { "repository": "registry.example.com/quartermaster" },
        "publicUrl": "https://app.example.com",
        "existingSecret": { "name": "secrets" },
    })
}

/// Everything that can be given, differently from what it is by default.
fn everything() -> Value {
    let resources = json!({ "requests": { "cpu": "1", "memory": "1Gi" }, "limits": { "memory": "2Gi" } });
    json!({
        "image": { "repository": "registry.example.com/quartermaster", "tag": "1.2.3", "pullPolicy": "Always" },
        "imagePullSecrets": [{ "name": "registry" }],
        "publicUrl": "https://app.example.com:8443",
        "existingSecret": { "name": "secrets", "keys": { "databaseUrl": "DATABASE.url" } },
        "config": {
            "sandbox": true, "redisPrefix": "blue", "sandboxReceiptMs": 0, "allowPrivateTargets": true,
            "mailFrom": "us@example.com", "logFilter": "quartermaster=debug,info", "databasePoolSize": 200,
            "bodyLimitBytes": 104_857_600, "requestTimeoutMs": 1, "uploadTimeoutMs": 3_600_000, "idleTimeoutMs": 1,
            "fileRetentionDays": 0, "s3Bucket": "files", "s3Endpoint": "http://minio:9000", "s3Region": "eu-central-1",
            "shutdownGraceMs": 30_001,
        },
        "serve": { "replicas": 3, "maxUnavailable": 2, "preStopSleepSeconds": 7, "resources": resources },
        "work": { "replicas": 4, "maxUnavailable": 3, "resources": resources },
        "migrate": { "deadlineSeconds": 60, "retries": 0, "resources": resources },
        "service": { "type": "LoadBalancer", "port": 8080 },
        "ingress": {
            "enabled": true, "className": "nginx", "annotations": { "example.com/note": "yes" },
            "host": "other.example.com", "tlsSecretName": "certificate",
        },
        "serviceAccount": { "create": false, "name": "existing" },
        "runAsUser": 2_000_000_000,
        "podAnnotations": { "example.com/scrape": "true" },
        "nodeSelector": { "disk": "fast" },
        "tolerations": [{ "key": "dedicated", "operator": "Exists" }],
        "affinity": { "nodeAffinity": {} },
    })
}

/// Renders the chart; nothing on a machine that Helm cannot be installed on.
fn helm(values: &Value) -> Option<Output> {
    let helm = tools::needed("QMTEST_HELM");
    if helm.is_empty() {
        println!("there is no Helm for this machine");
        return None;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("values.json");
    std::fs::write(&file, values.to_string()).expect("a file");
    let mut command = Command::new(helm);
    command.env("HOME", folder.path()).current_dir(env!("CARGO_MANIFEST_DIR"));
    Some(command.args(["template", "shop", "helm", "--values"]).arg(file).output().expect("helm"))
}

/// The objects that the chart makes of these values.
fn rendered(values: &Value) -> Option<Objects> {
    let output = helm(values)?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("objects.yaml");
    std::fs::write(&file, output.stdout).expect("a file");
    let objects = tools::python(READ, &[file.to_str().expect("a path")]);
    let objects: Vec<Value> = serde_json::from_str(&objects).expect("objects");
    let count = objects.len();
    let key = |object: &Value| (text(&object["kind"]).to_owned(), text(&object["metadata"]["name"]).to_owned());
    let by_name: BTreeMap<_, _> = objects.into_iter().map(|object| (key(&object), object)).collect();
    assert_eq!(by_name.len(), count, "two objects have one name");
    Some(by_name)
}

#[track_caller]
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

#[track_caller]
fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("no list: {value}"))
}

/// Whether a selector chooses what has these labels.
fn selects(selector: &Value, labels: &Value) -> bool {
    let selector = selector.as_object().expect("a selector");
    assert!(!selector.is_empty());
    selector.iter().all(|(name, value)| labels[name] == *value)
}

fn of_kind<'a>(objects: &'a Objects, kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|((of, _), _)| of == kind).map(|(_, object)| object).collect()
}

/// What runs containers: deployments and the job.
fn running(objects: &Objects) -> Vec<&Value> {
    [of_kind(objects, "Deployment"), of_kind(objects, "Job")].concat()
}

fn container(object: &Value) -> &Value {
    let containers = list(&object["spec"]["template"]["spec"]["containers"]);
    assert_eq!(containers.len(), 1);
    &containers[0]
}

/// What the program is told where a variable comes from the Secret.
fn secret(variable: &str) -> &'static str {
    match variable {
        "QM_DATABASE_URL" => "postgres://user:password@host:5432/database",
        "QM_REDIS_URL" => "redis://:password@host:6379/",
        "QM_MASTER_KEY" => "first:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "QM_SMTP_URL" => "smtps://user:password@host:465",
        "QM_S3_ACCESS_KEY_ID" | "QM_S3_SECRET_ACCESS_KEY" => "access",
        other => panic!("{other} is no secret"),
    }
}

/// The variables of a container with what they hold.
fn environment(container: &Value) -> BTreeMap<String, String> {
    let variables = list(&container["env"]);
    let read = |variable: &Value| {
        let name = text(&variable["name"]).to_owned();
        let source = &variable["valueFrom"]["secretKeyRef"];
        assert_ne!(variable["value"].is_string(), source.is_object(), "{variable}");
        let value = if source.is_object() { secret(&name) } else { text(&variable["value"]) };
        (name, value.to_owned())
    };
    let all: BTreeMap<_, _> = variables.iter().map(read).collect();
    assert_eq!(all.len(), variables.len(), "a variable stands twice");
    all
}

fn check_objects(objects: &Objects) {
    for ((kind, name), object) in objects {
        let version = match kind.as_str() {
            "Deployment" => "apps/v1",
            "Job" => "batch/v1",
            "Ingress" => "networking.k8s.io/v1",
            "PodDisruptionBudget" => "policy/v1",
            "Service" | "ServiceAccount" => "v1",
            other => panic!("an object of a kind that is not known here: {other}"),
        };
        assert_eq!(object["apiVersion"], version);
        assert!(name.len() <= 63 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{name}");
        for (label, value) in object["metadata"]["labels"].as_object().expect("labels") {
            assert!(text(value).len() <= 63, "{label}");
        }
    }
    for object in running(objects) {
        check_pod(object, objects);
    }
    for budget in of_kind(objects, "PodDisruptionBudget") {
        let selector = &budget["spec"]["selector"]["matchLabels"];
        let chosen = running(objects).into_iter().filter(|one| selects(selector, &pod_labels(one))).count();
        assert_eq!((chosen, budget["spec"]["maxUnavailable"].is_u64()), (1, true));
    }
    check_way_in(objects);
}

fn pod_labels(object: &Value) -> Value {
    object["spec"]["template"]["metadata"]["labels"].clone()
}

fn check_pod(object: &Value, objects: &Objects) {
    let pod = &object["spec"]["template"]["spec"];
    let container = container(object);
    if object["kind"] == "Deployment" {
        assert!(object["spec"]["replicas"].as_u64().is_some_and(|count| count > 0));
        assert!(selects(&object["spec"]["selector"]["matchLabels"], &pod_labels(object)));
        for spread in list(&pod["topologySpreadConstraints"]) {
            assert!(selects(&spread["labelSelector"]["matchLabels"], &pod_labels(object)));
        }
        let pause = container["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap_or(0);
        let grace: u64 = environment(container)["QM_SHUTDOWN_GRACE_MS"].parse().expect("a number");
        let longest = pod["terminationGracePeriodSeconds"].as_u64().expect("a number");
        assert!(longest * 1000 > pause * 1000 + grace, "killed before it has stopped");
    } else {
        assert_eq!((&pod["restartPolicy"], object["spec"]["backoffLimit"].is_u64()), (&json!("Never"), true));
    }
    let account = pod["serviceAccountName"].as_str().unwrap_or("default");
    let is_made = objects.contains_key(&("ServiceAccount".to_owned(), account.to_owned()));
    // The job runs before anything else of a release is there.
    assert_eq!(is_made, object["kind"] != "Job" && account != "existing", "{account}");
    let volumes: BTreeSet<&str> = list(&pod["volumes"]).iter().map(|volume| text(&volume["name"])).collect();
    for mount in list(&container["volumeMounts"]) {
        assert!(volumes.contains(text(&mount["name"])) && text(&mount["mountPath"]).starts_with('/'));
    }
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        assert_eq!(container[probe].is_object(), container["name"] == "serve", "{probe}");
        if let Some(port) = container[probe]["httpGet"]["port"].as_str() {
            assert!(list(&container["ports"]).iter().any(|one| one["name"] == port), "{port}");
        }
    }
    let help = Command::new(env!("CARGO_BIN_EXE_quartermaster"))
        .args(list(&container["args"]).iter().map(text))
        .arg("--help")
        .output()
        .expect("the binary");
    assert!(help.status.success(), "{}", String::from_utf8_lossy(&help.stderr));
}

/// The Service finds the replicas that answer HTTP and nothing else, and the Ingress finds the Service.
fn check_way_in(objects: &Objects) {
    let services = of_kind(objects, "Service");
    assert_eq!(services.len(), 1);
    let service = services[0];
    let chosen: Vec<&Value> =
        running(objects).into_iter().filter(|one| selects(&service["spec"]["selector"], &pod_labels(one))).collect();
    assert_eq!(chosen.len(), 1);
    let serve = container(chosen[0]);
    let port = list(&serve["ports"]).iter().find(|port| port["name"] == service["spec"]["ports"][0]["targetPort"]);
    let port = port.expect("the port that the Service sends to")["containerPort"].as_u64().expect("a number");
    assert!(environment(serve)["QM_LISTEN"].ends_with(&format!(":{port}")));
    for ingress in of_kind(objects, "Ingress") {
        for rule in list(&ingress["spec"]["rules"]) {
            let backend = &rule["http"]["paths"][0]["backend"]["service"];
            assert_eq!(backend["name"], service["metadata"]["name"]);
            assert_eq!(backend["port"]["name"], service["spec"]["ports"][0]["name"]);
            assert_eq!(ingress["spec"]["tls"][0]["hosts"][0], rule["host"], "TLS is for the host of the rule");
        }
    }
}

/// What the program makes of these variables and no others: each key that they set, with its value.
fn read_by_the_program(environment: &BTreeMap<String, String>) -> BTreeMap<String, Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quartermaster"));
    let output = command.args(["config", "--json"]).env_clear().envs(environment).output().expect("the binary");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    let set = lines.into_iter().filter(|line| text(&line["source"]).starts_with("environment"));
    set.map(|line| (text(&line["key"]).to_owned(), line["value"].clone())).collect()
}

fn names(of: &BTreeMap<String, Value>) -> BTreeSet<&str> {
    of.keys().map(String::as_str).collect()
}

#[test]
fn what_the_least_values_make_fits_together() {
    let Some(objects) = rendered(&least()) else { return };
    let made: Vec<String> = objects.keys().map(|(kind, name)| format!("{kind} {name}")).collect();
    assert_eq!(
        made,
        [
            "Deployment shop-quartermaster-serve",
            "Deployment shop-quartermaster-work",
            "Job shop-quartermaster-migrate",
            "PodDisruptionBudget shop-quartermaster-serve",
            "PodDisruptionBudget shop-quartermaster-work",
            "Service shop-quartermaster",
            "ServiceAccount shop-quartermaster",
        ]
    );
    check_objects(&objects);
    let image = format!("registry.example.com/quartermaster:{}", env!("CARGO_PKG_VERSION"));
    assert!(running(&objects).into_iter().all(|object| container(object)["image"] == image), "{image}");
}

#[test]
fn what_all_values_make_fits_together() {
    let Some(objects) = rendered(&everything()) else { return };
    assert!(of_kind(&objects, "ServiceAccount").is_empty());
    check_objects(&objects);
    let ingress = of_kind(&objects, "Ingress")[0];
    assert_eq!(ingress["spec"]["tls"], json!([{ "hosts": ["other.example.com"], "secretName": "certificate" }]));
    assert_eq!(ingress["spec"]["ingressClassName"], "nginx");
    for object in running(&objects) {
        let pod = &object["spec"]["template"]["spec"];
        assert_eq!(pod["imagePullSecrets"], json!([{ "name": "registry" }]));
        assert_eq!(pod["securityContext"]["runAsUser"], 2_000_000_000);
        assert_eq!((&pod["nodeSelector"]["disk"], &pod["serviceAccountName"]), (&json!("fast"), &json!("existing")));
        assert_eq!(container(object)["image"], "registry.example.com/quartermaster:1.2.3");
        assert_eq!(container(object)["resources"]["limits"]["memory"], "2Gi");
        assert_eq!(object["spec"]["template"]["metadata"]["annotations"]["example.com/scrape"], "true");
    }
}

#[test]
fn an_ingress_alone_is_for_the_host_of_the_public_url() {
    let mut values = least();
    values["publicUrl"] = json!("https://app.example.com:8443/");
    values["ingress"] = json!({ "enabled": true });
    let Some(objects) = rendered(&values) else { return };
    let ingress = of_kind(&objects, "Ingress")[0];
    assert_eq!(
        (&ingress["spec"]["rules"][0]["host"], ingress["spec"]["tls"].is_null()),
        (&json!("app.example.com"), true)
    );
}

#[test]
fn the_program_takes_every_variable_that_the_chart_sets() {
    let (Some(few), Some(all)) = (rendered(&least()), rendered(&everything())) else { return };
    for object in [running(&few), running(&all)].concat() {
        let given = environment(container(object));
        let taken = read_by_the_program(&given);
        let expected: BTreeSet<String> =
            given.keys().map(|name| name.trim_start_matches("QM_").to_lowercase()).collect();
        assert_eq!(names(&taken), expected.iter().map(String::as_str).collect());
        for (key, value) in taken {
            let given = &given[&format!("QM_{}", key.to_uppercase())];
            let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            assert!(shown == *given || shown.contains("redacted"), "{key}: {given} was read as {shown}");
        }
        if object["kind"] == "Job" {
            let needed = ["data_dir", "database_pool_size", "database_url", "log_filter", "log_format"];
            assert_eq!(expected.iter().map(String::as_str).collect::<Vec<_>>(), needed);
        }
    }
    for object in of_kind(&all, "Deployment") {
        let set = read_by_the_program(&environment(container(object)));
        assert_eq!(names(&set), KEYS.into_iter().collect(), "a key that no value of the chart sets");
    }
}

#[test]
fn the_keys_of_the_secret_are_those_that_the_readme_names() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/helm/README.md")).expect("a file");
    let mut values = everything();
    values["existingSecret"] = least()["existingSecret"].clone();
    let (Some(few), Some(all)) = (rendered(&least()), rendered(&values)) else { return };
    let keys = |objects: &Objects| -> BTreeSet<String> {
        let variables = running(objects).into_iter().flat_map(|object| list(&container(object)["env"])).cloned();
        let keys = variables.filter_map(|variable| {
            let source = &variable["valueFrom"]["secretKeyRef"];
            assert!(source.is_null() || source["name"] == "secrets", "{source}");
            source["key"].as_str().map(str::to_owned)
        });
        keys.collect()
    };
    let made: BTreeSet<String> =
        readme.split("--from-literal=").skip(1).map(|rest| rest.split('=').next().expect("a key").to_owned()).collect();
    assert_eq!(keys(&few), made, "what the command of the README makes");
    for key in keys(&all).difference(&made) {
        assert!(readme.contains(&format!("`{key}`")), "{key}");
    }
}

#[test]
fn unfit_values_are_refused_by_name() {
    for (pointer, value) in [
        ("/image/repository", json!("")),
        ("/image/pullPolicy", json!("Sometimes")),
        ("/publicUrl", json!("")),
        ("/publicUrl", json!("app.example.com")),
        ("/publicUrl", json!("https://app.example.com/base")),
        ("/publicUrl", json!("https://user@app.example.com")),
        ("/existingSecret/name", json!("")),
        ("/existingSecret/keys/masterKey", json!("master key")),
        ("/existingSecret/keys/password", json!("password")),
        ("/config/masterKey", json!("first:…")),
        ("/config/sandbox", json!("yes")),
        ("/config/redisPrefix", json!("blue green")),
        ("/config/databasePoolSize", json!(0)),
        ("/config/databasePoolSize", json!(4_294_967_296_u64)),
        ("/config/fileRetentionDays", json!(-1)),
        ("/config/uploadTimeoutMs", json!(3_600_001)),
        ("/config/requestTimeoutMs", json!(1.5)),
        ("/config/idleTimeoutMs", json!(0)),
        ("/config/s3Endpoint", json!("minio:9000")),
        ("/config/s3Region", json!("")),
        ("/serve/replicas", json!(0)),
        ("/serve/autoscaling", json!(true)),
        ("/service/type", json!("ExternalName")),
        ("/service/port", json!(65_536)),
        ("/ingress/tls", json!([])),
        ("/podAnnotations/count", json!(1)),
        ("/runAsUser", json!(0)),
        ("/replicas", json!(2)),
    ] {
        let mut values = least();
        let (parent, key) = pointer.rsplit_once('/').expect("a path");
        let mut place = &mut values;
        for part in parent.split('/').filter(|part| !part.is_empty()) {
            place = &mut place[part];
        }
        place[key] = value.clone();
        let Some(output) = helm(&values) else { return };
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{pointer} {value}");
        assert!(error.contains("schema") && error.contains(key), "{pointer} {value}: {error}");
    }
}
