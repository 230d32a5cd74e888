"""Keys in the formats of known providers.

The formats come from the providers' documentation and GitHub's list of secret scanning patterns, and were compared with
gitleaks' default rules (MIT). GitHub's newer tokens end in a CRC-32 (github.blog, "Behind GitHub's new authentication
token formats", 2021). The CRC-32 is not verified here, so that mistyped or truncated tokens are found too.
"""

import re

from tasks.stages.data.protect.recognisers.alternation import alternation
from tasks.stages.data.protect.recognisers.credentials.entropy import entropy, is_dummy_value
from tasks.stages.data.protect.recognisers.span import Span

KEY_FORMATS: dict[str, str] = {
    "AWS": r"(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z2-7]{16}|ABSK[A-Za-z0-9+/]{100,270}={0,2}",
    "GOOGLE": r"AIza[\w-]{35}|ya29\.[\w-]{20,}|GOCSPX-[\w-]{28}|1//0[\w-]{40,200}",
    "GITHUB": r"gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_\w{36,255}",
    "GITLAB": r"gl(?:pat|ptt|dt|rt|cbt|ft|soat|agent|imt|oas|ffct)-[\w-]{20,300}(?:\.[\w-]{2,12}){0,3}"
    r"|GR1348941[\w-]{20}|_gitlab_session=[0-9a-z]{32}",
    "SLACK": r"xox[abposre](?:\.xox[bp])?-(?=[A-Za-z-]{0,40}(?:\d[A-Za-z-]{0,12}){8})[A-Za-z0-9-]{10,250}"
    r"|xapp-\d-[A-Z0-9]{1,20}-\d{1,20}-[a-z0-9]{1,100}"
    r"|(?:https?://)?hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{20,90}",
    "STRIPE": r"(?:sk|rk|pk|rzp)_(?:live|test|prod)_[A-Za-z0-9]{10,99}|whsec_[A-Za-z0-9+/=]{24,64}",
    "OPENAI": r"sk-(?:[A-Za-z0-9]{1,10}-){1,3}[\w-]{20,200}|sk-[A-Za-z0-9]{32,64}",
    "HUGGING_FACE": r"(?:hf|api_org)_(?=[a-z]{0,30}[A-Z])[A-Za-z]{30,40}",
    "TWILIO": r"(?:SK|AC)[0-9a-f]{32}",
    "SENDGRID": r"SG\.[\w=-]{16,32}\.[\w=-]{16,64}",
    "MAILGUN": r"key-[0-9a-z]{32}|[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}",
    "MAILCHIMP": r"[0-9a-f]{32}-us\d{1,2}",
    "NPM": r"npm_[A-Za-z0-9]{36}",
    "PYPI": r"pypi-AgEIcHlwaS5vcmc[\w-]{50,}",
    "DIGITALOCEAN": r"do[por]_v1_[0-9a-f]{64}",
    "SHOPIFY": r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",
    "SHIPPO": r"shippo_(?:live|test)_[0-9a-fA-F]{40}|duffel_(?:live|test)_[\w=-]{43}",
    "SQUARE": r"sq0[a-z]{3}-[\w-]{22,43}|EAAA[\w-]{60}",
    "DATABRICKS": r"dapi[0-9a-f]{32}(?:-\d)?",
    "TELEGRAM": r"\d{8,10}:AA[\w-]{33}",
    "AZURE": r"[\w~.]{3}\dQ~[\w~.-]{31,34}|(?:AccountKey|SharedAccessKey|sig)=[A-Za-z0-9+/%]{40,100}={0,2}",
    "ATLASSIAN": r"ATATT3[\w=-]{150,200}",
    "HASHICORP": r"hv[sbr]\.[\w-]{24,200}|s\.(?=[A-Za-z]{0,22}\d)[A-Za-z0-9]{24}(?![.\w])"
    r"|[A-Za-z0-9]{14}\.atlasv1\.[\w-]{60,70}",
    "GRAFANA": r"glsa_[A-Za-z0-9]{32}_[0-9a-f]{8}|glc_[A-Za-z0-9+/=]{32,200}|eyJrIjoi[A-Za-z0-9]{40,400}={0,3}",
    "LINEAR": r"lin_api_[A-Za-z0-9]{40}",
    "POSTMAN": r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}",
    "NEW_RELIC": r"NR(?:AK|JS|RA)-[A-Z0-9a-f]{19,42}",
    "SENTRY": r"sntr(?:ys|yu)_[\w=+/-]{40,200}",
    "DISCORD": r"[MNO][A-Za-z\d_-]{23,27}\.[\w-]{6}\.[\w-]{27,40}"
    r"|(?:https?://)?discord(?:app)?\.com/api/webhooks/\d{16,20}/[\w-]{60,80}",
    "DOCKER": r"dckr_(?:pat|oat)_[\w-]{27,32}",
    "DOPPLER": r"dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9.]{40,60}",
    "ADOBE": r"p8e-[a-z0-9]{32}",
    "AIRTABLE": r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}",
    "ALIBABA": r"LTAI[A-Za-z0-9]{12,20}",
    "ARTIFACTORY": r"AKCp[A-Za-z0-9]{69}",
    "BITBUCKET": r"ATBB[A-Za-z0-9]{32}",
    "CLOJARS": r"CLOJARS_[A-Za-z0-9]{60}",
    "CLOUDFLARE": r"v1\.0-[0-9a-f]{24}-[0-9a-f]{146}",
    "CONTENTFUL": r"CFPAT-[\w-]{43}",
    "CRATES": r"cio[A-Za-z0-9]{32}",
    "DROPBOX": r"sl\.[\w=-]{130,200}",
    "DYNATRACE": r"dt0[a-z]\d\d\.[A-Z0-9]{24}\.[A-Z0-9]{64}",
    "EASYPOST": r"EZ[AT]K[A-Za-z0-9]{54}",
    "FACEBOOK": r"EAA[A-Za-z0-9]{100,300}|\d{15,16}\|[\w-]{27,40}",
    "FLUTTERWAVE": r"FLW(?:SEC|PUB)K(?:_TEST)?-[0-9a-h]{12,32}(?:-X)?",
    "FINICITY": r"fio-u-[\w=-]{64}",
    "PLANETSCALE": r"pscale_(?:pw|tkn|oauth)_[\w=.-]{32,64}",
    "PREFECT": r"pn[ub]_[A-Za-z0-9]{36}",
    "CLICKHOUSE": r"4b1d[A-Za-z0-9]{38}",
    "FLY": r"fm[12][ar]?_[A-Za-z0-9+/]{100,300}={0,3}",
    "HARNESS": r"[ps]at\.[\w-]{22}\.[A-Za-z0-9]{24}\.[A-Za-z0-9]{20}",
    "HEROKU": r"HRKU-[\w-]{36,64}",
    "HUBSPOT": r"pat-[a-z]{2}\d-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "INTRA42": r"s-s4t2(?:ud|af)-[0-9a-f]{64}",
    "LANGSMITH": r"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}",
    "MAPBOX": r"[sp]k\.eyJ[\w-]{40,120}\.[\w-]{20,30}",
    "MAXMIND": r"[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk",
    "NUGET": r"oy2[a-z0-9]{43}",
    "OCTOPUS": r"API-[A-Z0-9]{26}",
    "ONE_PASSWORD": r"ops_eyJ[A-Za-z0-9+/]{250,900}={0,3}|A3-[A-Z0-9]{6}(?:-[A-Z0-9]{5,11}){4,5}",
    "OPENSHIFT": r"sha256~[\w-]{43}",
    "PLAID": r"access-(?:sandbox|development|production)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "PULUMI": r"pul-[0-9a-f]{40}",
    "README": r"rdme_[a-z0-9]{70}",
    "SENDINBLUE": r"xkeysib-[0-9a-f]{64}-[A-Za-z0-9]{16}",
    "SETTLEMINT": r"sm_[aps]at_[A-Za-z0-9]{16}",
    "YANDEX": r"AQVN[\w-]{35,38}|t1\.[\w-]{20,200}={0,2}\.[\w-]{86}={0,2}",
    "AGE": r"AGE-SECRET-KEY-1[A-Z0-9]{58}",
}
ANY_KEY = re.compile(rf"(?<![A-Za-z0-9_])(?:{'|'.join(KEY_FORMATS.values())})(?![A-Za-z0-9])")
KEY_PREFIXES = alternation(
    r"""AKIA, ASIA, ABIA, ACCA, A3T, AIza, ya29, GOCSPX, gh[pousr]_, github_pat, gl[a-z]{2,5}-, xox, xapp,
    hooks\.slack, _(?:live|test|prod)_, whsec_, sk-, hf_, api_org, SK[0-9a-f], AC[0-9a-f], SG\., key-, [0-9a-f]{32}-,
    npm_, pypi-, do[por]_v1, shp, sq0, EAAA, dapi, :AA, Q~, Key=, sig=, ATATT, hv[sbr]\., atlasv1, gls?[ac]_, lin_api,
    PMAK, NR[A-Z]{2}-, sntry, [MNO][A-Za-z\d_-]{23}, dckr_, AGE-, ABSK, GR1348, eyJr, dp\., LTAI, AKCp, ATBB, lsv2_,
    p8e-, pat[A-Za-z0-9]{14}\., pat[.-], CLOJARS, v1\.0-, CFPAT, cio[A-Za-z0-9]{5}, sl\.[\w=-]{9}, dt0, EZ[AT]K, EAA,
    FLW[SP], _gitlab_s, fio-u-, pscale_, pn[ub]_, 4b1d, s\.[A-Za-z0-9]{9}, fm[12], sat\., HRKU, k\.eyJ, _mmk, oy2,
    API-[A-Z0-9]{9}, ops_eyJ, A3-[A-Z0-9]{6}, sha256~, access-[spd],
    pul-[0-9a-f]{9}, rdme_, xkeysib, sm_, s-s4t2, \d{9}\|, AQVN, t1\., 1//0, /webhooks/"""
)
KEY_HINT = re.compile(KEY_PREFIXES)
"""Pattern for a fast scan. Texts that do not match are skipped."""


def find_provider_keys(text: str) -> list[Span]:
    """Find keys of known providers, except examples from documentation and repeated characters. Score 1.0."""
    if not KEY_HINT.search(text):
        return []
    return [
        Span(*m.span(), "CREDENTIAL", 1.0)
        for m in ANY_KEY.finditer(text)
        if not is_dummy_value(m.group()) and entropy(m.group()) > 2.5
    ]
