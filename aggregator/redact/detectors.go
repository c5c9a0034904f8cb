package redact

// A detector is one way to know a kind of secret. Several may have one name.
type detector struct {
	name   string
	begins string // the bytes at which find is asked
	find   func(text []byte, at int) (start, end int)
}

var detectors = []detector{
	{SecretKeys, ":=", findNamed},
	{"private_key", "-", findPrivateKey},
	{"jwt", "e", findJWT},
	{"bearer", "Bb", findBearer},
	{"basic_auth_url", ":", findURLPassword},

	form{"github", "ghp_", word, 36, 255}.detector(),
	form{"github", "gho_", word, 36, 255}.detector(),
	form{"github", "ghu_", word, 36, 255}.detector(),
	form{"github", "ghs_", dotted, 36, 2048}.detector(),
	form{"github", "ghr_", word, 36, 255}.detector(),
	form{"github", "github_pat_", word, 22, 255}.detector(),
	form{"gitlab", "glpat-", dotted, 20, 255}.detector(),
	form{"aws", "AKIA", alnum, 16, 16}.detector(),
	form{"aws", "ASIA", alnum, 16, 16}.detector(),
	form{"google", "AIza", token, 35, 35}.detector(),
	form{"google", "GOCSPX-", token, 28, 28}.detector(),
	form{"google", "ya29.", dotted, 30, 2048}.detector(),
	form{"slack", "xoxb-", dashed, 10, 512}.detector(),
	form{"slack", "xoxp-", dashed, 10, 512}.detector(),
	form{"slack", "xoxa-", dashed, 10, 512}.detector(),
	form{"slack", "xoxr-", dashed, 10, 512}.detector(),
	form{"slack", "xoxs-", dashed, 10, 512}.detector(),
	form{"slack", "xoxe-", dashed, 10, 512}.detector(),
	form{"slack", "xoxo-", dashed, 10, 512}.detector(),
	form{"slack", "xapp-", dashed, 10, 512}.detector(),
	form{"slack", "hooks.slack.com/services/", path, 20, 255}.detector(),
	form{"stripe", "sk_live_", alnum, 16, 255}.detector(),
	form{"stripe", "sk_test_", alnum, 16, 255}.detector(),
	form{"stripe", "rk_live_", alnum, 16, 255}.detector(),
	form{"stripe", "rk_test_", alnum, 16, 255}.detector(),
	form{"stripe", "whsec_", chars64, 24, 255}.detector(),
	form{"openai", "sk-", token, 48, 48}.detector(),
	form{"openai", "sk-proj-", token, 32, 512}.detector(),
	form{"openai", "sk-svcacct-", token, 32, 512}.detector(),
	form{"openai", "sk-admin-", token, 32, 512}.detector(),
	form{"anthropic", "sk-ant-", token, 32, 512}.detector(),
	form{"npm", "npm_", word, 36, 36}.detector(),
	form{"pypi", "pypi-AgEIcHlwaS5vcmc", token, 32, 2048}.detector(),
	form{"pypi", "pypi-AgENdGVzdC5weXBpLm9yZw", token, 32, 2048}.detector(),
}
