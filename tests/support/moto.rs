//! An S3-compatible service that is not ours: the one of `moto`, which checks signatures.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::support::tools;

/// Makes a bucket `files` and a key that may use it, then asks who calls. It ends with its standard input.
const SERVE: &str = r"
import json, os, sys
os.environ['INITIAL_NO_AUTH_ACTION_COUNT'] = '4'
import boto3, logging
from moto.server import ThreadedMotoServer
logging.getLogger('werkzeug').disabled = True
server = ThreadedMotoServer('127.0.0.1', 0, verbose=False)
server.start()
url = 'http://%s:%d' % server.get_host_and_port()
def client(name):
    return boto3.client(
        name, region_name='us-east-1', endpoint_url=url, aws_access_key_id='none', aws_secret_access_key='none')
iam = client('iam')
iam.create_user(UserName='quartermaster')
allowed = {'Effect': 'Allow', 'Action': 's3:*', 'Resource': ['arn:aws:s3:::files', 'arn:aws:s3:::files/*']}
policy = json.dumps({'Version': '2012-10-17', 'Statement': [allowed]})
iam.put_user_policy(UserName='quartermaster', PolicyName='files', PolicyDocument=policy)
key = iam.create_access_key(UserName='quartermaster')['AccessKey']
client('s3').create_bucket(Bucket='files')
print(json.dumps({'url': url, 'id': key['AccessKeyId'], 'secret': key['SecretAccessKey']}), flush=True)
sys.stdin.read()
";

/// The service.
pub(crate) struct Moto {
    child: Child,
    pub(crate) url: String,
    pub(crate) key_id: String,
    pub(crate) secret: String,
}

impl Moto {
    pub(crate) fn start() -> Self {
        let mut command = Command::new(tools::needed("QMTEST_PYTHON"));
        command.args(["-c", SERVE]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("Python");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        let made: Value = serde_json::from_str(&line).expect("moto is installed by scripts/test");
        let text = |key: &str| made[key].as_str().expect("text").to_owned();
        Self { child, url: text("url"), key_id: text("id"), secret: text("secret") }
    }

    /// The keys of all objects, and how many uploads in parts have not come to an end, as it tells them itself.
    pub(crate) fn holds(&self) -> (Vec<String>, usize) {
        const LIST: &str = r"
import boto3, json, sys
url, key, secret = sys.argv[1:]
s3 = boto3.client(
    's3', region_name='us-east-1', endpoint_url=url, aws_access_key_id=key, aws_secret_access_key=secret)
objects = [one['Key'] for one in s3.list_objects_v2(Bucket='files').get('Contents', [])]
print(json.dumps([objects, len(s3.list_multipart_uploads(Bucket='files').get('Uploads', []))]))
";
        let printed = tools::python(LIST, &[&self.url, &self.key_id, &self.secret]);
        serde_json::from_str(&printed).expect("JSON")
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
