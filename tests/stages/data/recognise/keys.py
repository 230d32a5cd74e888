"""Keys and passwords of random values in support sentences, with their truth, and sentences that only look like it.

Forms are those that providers publish (their documentation, GitHub's and GitLab's lists of token prefixes, RFC 7519 and
7468). No value stands here, so that no scanner takes this repository for a leak. Forms and sentences fall into two
halves by a digest of theirs: rules may be corrected by what is missed in the development half; of the held-out half
nobody looks at more than the score. Whoever breaks that must write new sentences.
"""

import base64
import random
import re
import string
import uuid
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import NamedTuple

ALPHABETS = {
    "A": string.ascii_letters + string.digits,
    "U": string.ascii_uppercase + string.digits,
    "L": string.ascii_lowercase + string.digits,
    "P": string.ascii_letters,
    "C": string.ascii_uppercase,
    "H": "0123456789abcdef",
    "D": string.digits,
    "N": "23456789",
    "T": string.ascii_uppercase + "234567",
    "W": string.ascii_letters + string.digits + "-_",
    "B": string.ascii_letters + string.digits + "+/",
}
"""What stands for so many random characters in a form: {H32} is 32 hexadecimal digits."""
FORMS = """
aws AKIA{T16}|aws-temporary ASIA{T16}|google AIza{W35}|google-oauth GOCSPX-{W28}|google-access ya29.a0{W150}
google-refresh 1//0{D1}{W60}|azure {A3}8Q~{W34}|azure-storage AccountKey={B86}==|github ghp_{A36}|github-app ghs_{A36}
github-oauth gho_{A36}|github-fine github_pat_{A22}_{A59}|gitlab glpat-{W20}|gitlab-routed glpat-{W27}.{L2}.{L9}
gitlab-deploy gldt-{W20}|gitlab-runner glrt-{W20}|gitlab-trigger glptt-{H40}|slack xoxb-{D12}-{D13}-{A24}
slack-user xoxp-{D12}-{D12}-{D12}-{H32}|slack-app xapp-1-A{U10}-{D13}-{H64}
slack-hook https://hooks.slack.com/services/T{U8}/B{U10}/{A24}|stripe sk_live_{A24}|stripe-test sk_test_{A99}
stripe-restricted rk_live_{A24}|stripe-hook whsec_{A32}|twilio SK{H32}|sendgrid SG.{W22}.{W43}|mailgun key-{H32}
mailchimp {H32}-us{D2}|openai sk-{A20}T3BlbkFJ{A20}|openai-project sk-proj-{W74}T3BlbkFJ{W74}
anthropic sk-ant-api03-{W93}AA|hugging-face hf_{P34}|groq gsk_{A52}|xai xai-{A80}|perplexity pplx-{A48}
replicate r8_{A37}|openrouter sk-or-v1-{H64}|deepseek sk-{H32}|langsmith lsv2_pt_{H32}_{H10}|npm npm_{A36}
pypi pypi-AgEIcHlwaS5vcmc{W120}|rubygems rubygems_{H48}|docker dckr_pat_{W27}|nuget oy2{L43}
digitalocean dop_v1_{H64}|netlify nfp_{A36}|supabase sbp_{H40}|planetscale pscale_pw_{W43}|pulumi pul-{H40}
terraform {A14}.atlasv1.{W67}|vault hvs.{W95}|shopify shpat_{H32}|square sq0atp-{W22}|razorpay rzp_live_{A14}
atlassian ATATT3xFfGF0{W176}={U8}|bitbucket ATBB{A32}|notion ntn_{D11}{A35}|linear lin_api_{A40}
airtable pat{A14}.{H64}|figma figd_{W40}|postman PMAK-{H24}-{H34}|contentful CFPAT-{W43}|new-relic NRAK-{U27}
sentry sntryu_{H64}|grafana glsa_{A32}_{H8}|dynatrace dt0c01.{U24}.{U64}|databricks dapi{H32}
telegram {D10}:AA{W33}|discord-hook https://discord.com/api/webhooks/{D18}/{W68}|doppler dp.pt.{A43}
tailscale tskey-auth-{A16}-{A32}|hubspot pat-na1-{H8}-{H4}-{H4}-{H4}-{H12}|alibaba LTAI{A20}|sonarqube sqp_{H40}
buildkite bkua_{H40}|artifactory AKCp{A69}|prefect pnu_{A36}|typeform tfp_{W59}|dropbox sl.{W135}
age AGE-SECRET-KEY-1{U58}
"""
IN_TEXT = """
Since this morning every deploy ends with 401, the runner still sends {key} although we rotated it.
I pasted {key} into the settings page and nothing happened.
Hi, could you check why {key} is rejected? It worked yesterday.
Our intern committed {key} to a public repository, please revoke it at once.
client = Client("{key}")  # fails with Forbidden
The log says: auth failed for '{key}' (expired?)
{"name": "prod", "value": "{key}", "enabled": true}
export SERVICE_TOKEN={key}
- name: TOKEN¶  value: {key}
Is {key} still valid, or do I need a new one
Ticket 48213: customer sent {key}, deleted from chat.
curl -H "X-Auth: {key}" https://api.service.test/v2/items
Seit heute früh kommt Fehler 401, obwohl {key} gestern noch ging.
Ich habe {key} in die Einstellungen kopiert, es passiert aber nichts.
Unser Praktikant hat {key} öffentlich eingestellt, bitte sofort sperren!
Bitte einmal prüfen: {key} – läuft der noch?
Im Protokoll steht „{key}“, danach bricht es ab.
old: {key}, new one follows by mail
"""
SAID = """
hex the Datadog API key is {key} and it is refused|base64 aws_secret_access_key = {key}|hex auth_token: {key}
base64 client_secret="{key}"|hex Der API-Schlüssel lautet {key}, geht aber nicht.|wide Authorization: Bearer {key}
base64 Authorization: Basic {key}|hex {"apiKey": "{key}", "region": "eu"}|wide our webhook signing secret {key} leaked
word My password is {key} and I still cannot log in.|word Passwort: {key}|word password={key}
word The wifi password for the office was {key} until last week.|word Mein Kennwort lautet {key}, bitte zurücksetzen.
word user: anna pw: {key}|word I set the passphrase to {key} yesterday|word Zugang für den Test: anna / Passwort {key}
word I changed my password to "{key}" and it says wrong password|word mysql -u root --password={key} shop
word the temporary password you sent, {key}, does not work|word DB_PASSWORD={key}
pin My PIN is {key}, the card still refuses it.|pin Die PIN lautet {key}.|pin your verification code is {key}
pin Bestätigungscode: {key}|word Server=db.local;User Id=app;Password={key};Encrypt=true
word spring.datasource.password: {key}|word sshpass -p '{key}' ssh root@host|hex x-api-key: {key}
word my login is anna@example.org with password {key} thanks|word Passwort geändert auf {key}, Anmeldung scheitert
hex DD_API_KEY={key}|base64 AZURE_SECRET: "{key}"|wide refresh_token={key}&grant_type=refresh_token
jwt the session cookie holds {key} and expires too early|jwt Token {key} wird abgelehnt
pem here is what I use:¶{key}¶please check|pem Mein Schlüssel:¶{key}
url connect with postgresql://app:{key}@db.internal:5432/shop fails
url mongodb+srv://reader:{key}@cluster0.abcde.mongodb.net/test times out|url redis://:{key}@cache:6379/0
url git clone https://deploy:{key}@git.example.org/team/app.git|url jdbc via mysql://root:{key}@127.0.0.1/crm
url curl -u anna:{key} https://api.example.org/me
"""
NOTHING = """
order Where is my order {n8}-{n5}, sent on Monday?|My parcel 1Z{U6}{n10} is stuck in Leipzig.|request {uuid} failed
commit {H40} broke the build|The image sha256:{H64} cannot be pulled.|<img src="data:image/png;base64,{B200}==">
The header should be #{H6} and the links #{H6}.|I forgot my password, the password reset mail never comes.
Set API_KEY=<your-key> and try again.|use AKIAIOSFODNN7EXAMPLE as in the docs|password: ******** is all I see
The token has expired, please issue a new token.|export TOKEN=${GITHUB_TOKEN}|Sendung {n12} ist nicht angekommen.
The secret of good support is patience.|My key question: is the access key card 42 still active?|IMEI {n15} is blocked
Passwort vergessen? Der Link funktioniert nicht.|Das Passwort muss mindestens 12 Zeichen haben.|Serial {U4}-{U4}-{U4}
password must contain a digit and a sign|ETag: "{H32}" and status 304|ISBN 978-3-16-{n6}-0 is out of stock
session {uuid} closed, trace {H32}|Invoice INV-2024-{n6} is wrong.|https://example.org/files/{uuid}/report.pdf
C:\\Users\\anna\\AppData\\Local\\Temp\\{U8}.tmp is locked|com.example.security.TokenAuthenticationProvider throws
The model gpt-4o-mini-2024-07-18 answers slowly.|Build 2024.11.{n4}+{H7} crashes on start.|token: REDACTED
api_key: xxxxxxxxxxxxxxxxxxxxxxxx|secret=changeme|Where do I find the API key in the settings?
md5 {H32} does not match the download|s3://backups-eu/2024/11/{H16}/dump.sql.gz is missing|kid {W22} is unknown
my login is not working since Tuesday|Der Zugangscode kam nie an.|password for the wifi please
Mit dem Kennwort stimmt etwas nicht.
How do I rotate the signing secret for webhooks?|The pin of the plug is bent, part no. {U3}-{n6}.
nonce-{W22} blocked by CSP
Payment pi_3{A23} was charged twice.|customer cus_{A14} cannot pay|subscription sub_1{A23} was cancelled too early
response chatcmpl-{A29} was cut off|org-{A24} has no quota left|file-{A24} failed to process|msg_01{A22} is empty
request req_{H32} took 30 s|pod web-{L10}-{L5} restarts all the time|registry.example.org/app:build-{H40} is missing
cache key npm-linux-{H64} not found|commit-{H40} cannot be found|index-{A8}.css gives 404|main.{H20}.js fails to load
session_id={uuid} is gone|trace_id: {H32}|event evt_1{A23} never arrived|price_1{A23} is archived|sha512-{B86}== differs
ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ{B344} anna@laptop|fingerprint SHA256:{B43} is new|https://youtu.be/{W11}
https://docs.example.org/document/d/{W44}/edit cannot be opened|arn:aws:iam::{n12}:role/deploy may not be assumed
instance i-0{H17} stopped|transaction 0x{H64} is pending|wallet bc1q{L38} received nothing|<{A24}.{n6}@mail.example.org>
blob_{H40} is corrupt|upload_{H32} stays at 99 %|thread_{A24} has no answer|layer-{H64} exists
my-very-long-BranchName2-forTheNewLoginPage3
integrity="sha384-{B64}" is refused|Please log in with password authentication disabled.
ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{B43} anna@laptop
"""
WORDS = ["sommer", "winter", "dragon", "monkey", "berlin", "sunshine", "flower", "hammer", "football", "shadow"]
GAP = re.compile(r"\{(?:(uuid)|n(\d+)|([A-Z])(\d+))\}")


class Key(NamedTuple):
    start: int
    end: int
    form: str


class Text(NamedTuple):
    text: str
    keys: list[Key]


def is_held_out(text: str) -> bool:
    return sha256(text.encode()).digest()[0] % 2 == 1


def made(held_out: bool, each: int, seed: int) -> list[Text]:
    """Every form of the half `each` times, in sentences of the half; and as many sentences that hold no key."""
    rng = random.Random(seed)
    forms = [entry.split(" ", 1) for entry in _entries(FORMS) if is_held_out(entry) == held_out]
    sentences = [sentence for sentence in _entries(IN_TEXT) if is_held_out(sentence) == held_out]
    said = [entry.split(" ", 1) for entry in _entries(SAID) if is_held_out(entry) == held_out]
    texts = [_said(rng.choice(sentences), name, random_text(form, rng)) for name, form in forms for _ in range(each)]
    texts += [_said(sentence, kind, VALUES[kind](rng)) for kind, sentence in said for _ in range(each)]
    nothing = [sentence for sentence in _entries(NOTHING) if is_held_out(sentence) == held_out]
    return texts + [Text(random_text(rng.choice(nothing), rng), []) for _ in texts]


def random_text(form: str, rng: random.Random) -> str:
    """The form with its gaps filled."""

    def fill(gap: re.Match[str]) -> str:
        if gap[1]:
            return str(uuid.UUID(int=rng.getrandbits(128), version=4))
        letters, count = (string.digits, gap[2]) if gap[2] else (ALPHABETS[gap[3]], gap[4])
        return "".join(rng.choices(letters, k=int(count)))

    return GAP.sub(fill, form)


def _entries(text: str) -> list[str]:
    return [entry for line in text.strip().split("\n") for entry in line.split("|")]


def _said(sentence: str, form: str, value: str) -> Text:
    before, after = sentence.replace("¶", "\n").split("{key}")
    return Text(before + value + after, [Key(len(before), len(before) + len(value), form)])


def _word(rng: random.Random) -> str:
    """A password as people make them: a word and digits, a sign perhaps; or one of a generator."""
    word = rng.choice(WORDS)
    made_up = word.capitalize() + str(rng.randint(1, 2029)) + rng.choice(["", "!", "#", "?", "*"])
    drawn = "".join(rng.choices(ALPHABETS["A"] + "!#%&*+-_.", k=rng.randint(9, 16))) + str(rng.randint(0, 9))
    return rng.choice([made_up, made_up.replace("e", "3"), drawn])


def _jwt(rng: random.Random) -> str:
    parts = (
        '{"alg":"HS256","typ":"JWT"}',
        f'{{"sub":"{rng.randint(1, 10**9)}","iat":{rng.randint(10**9, 2 * 10**9)}}}',
    )
    encoded = [base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, random_text("{W43}", rng)])


def _pem(rng: random.Random) -> str:
    name = rng.choice(["RSA PRIVATE KEY", "PRIVATE KEY", "OPENSSH PRIVATE KEY", "EC PRIVATE KEY"])
    lines = [random_text("{B64}", rng) for _ in range(rng.randint(3, 25))]
    return "\n".join([f"-----BEGIN {name}-----", *lines, random_text("{B30}==", rng), f"-----END {name}-----"])


VALUES: dict[str, Callable[[random.Random], str]] = {
    "hex": lambda rng: random_text(rng.choice(["{H32}", "{H40}", "{H64}"]), rng),
    "base64": lambda rng: random_text(rng.choice(["{B40}", "{B43}="]), rng),
    "wide": lambda rng: random_text(rng.choice(["{W40}", "{A32}", "{W64}"]), rng),
    "pin": lambda rng: random_text(rng.choice(["{D4}", "{D6}"]), rng),
    "url": lambda rng: random_text("{A14}", rng),
    "word": _word,
    "jwt": _jwt,
    "pem": _pem,
}


class Figures(NamedTuple):
    """Of keys, not of characters."""

    keys: int
    found: int
    marked: int
    right: int
    missed: list[str]
    """The forms of those that were not found."""
    wrong: list[str]
    """What was marked and is none."""

    @property
    def recall(self) -> float:
        return self.found / self.keys

    @property
    def precision(self) -> float:
        return self.right / self.marked if self.marked else 1.0

    @property
    def f1(self) -> float:
        return 2 * self.precision * self.recall / (self.precision + self.recall) if self.found else 0.0


def figures(texts: Sequence[Text], found: Sequence[Sequence[tuple[int, int]]], whole: bool = True) -> Figures:
    """A key is found where all of it is marked, or any of it if not `whole`; a mark is right where it touches a key."""
    missed, wrong, keys, marked = [], [], 0, 0
    for text, spans in zip(texts, found, strict=True):
        covered = {i for start, end in spans for i in range(start, end)}
        keyed = {i for key in text.keys for i in range(key.start, key.end)}
        for key in text.keys:
            hits = [place in covered for place in range(key.start, key.end)]
            if not (all(hits) if whole else any(hits)):
                missed.append(f"{key.form}: {text.text}")
        keys, marked = keys + len(text.keys), marked + len(spans)
        wrong += [text.text[start:end] for start, end in spans if keyed.isdisjoint(range(start, end))]
    return Figures(keys, keys - len(missed), marked, marked - len(wrong), missed, wrong)
