package reference

const tasksExtension = metaPrefix + "tasks"

const serverInfo = `{"name":"reference","title":"Reference <é>","version":"1.0.0","icons":[{"src":"data:image/png;base64,AAEC","mimeType":"image/png","sizes":["48x48"]}],"websiteUrl":"https://example.com/","vendor":{"z":1,"a":9007199254740993}}`

// What the server declares, in the revisions before 2025-11-25, in that one,
// and in the modern era.
const (
	commonCapabilities = `"tools":{"listChanged":true,"vendor":1},"resources":{"subscribe":true,"listChanged":true},"prompts":{"listChanged":true},` +
		`"completions":{},"logging":{},"experimental":{"vendor/x":{"z":9007199254740993,"a":[]}}`
	legacyCapabilities = `{` + commonCapabilities + `,"extensions":{"com.example/odd":{"z":9007199254740993,"a":1.0}}}`
	tasksCapabilities  = `{` + commonCapabilities + `,"tasks":{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}},"extensions":{"com.example/odd":{"z":9007199254740993,"a":1.0}}}`
	modernCapabilities = `{` + commonCapabilities + `,"extensions":{"com.example/odd":{"z":9007199254740993,"a":1.0},"` + tasksExtension + `":{}}}`
)

var promptDefinitions = []string{
	`{"vendor":1E400,"name":"plain","title":"Plain <é>","description":"says the same always","_meta":{"vendor/x":9007199254740993}}`,
	`{"arguments":[{"vendor":true,"name":"who","title":"Who","description":"whom","required":true},{"name":"how"}],"name":"args","icons":[{"src":"https://example.com/i.png"}]}`,
	`{"name":"ask","description":"asks first"}`,
}

const extraPrompt = `{"name":"extra","description":"comes and goes"}`

var resourceDefinitions = []string{
	`{"vendor":{"z":1,"a":1E400},"uri":"ref:///text","name":"text","title":"Text <é>","description":"some text","mimeType":"text/plain","size":9007199254740993,"annotations":{"priority":0.50,"audience":["user"],"lastModified":"2025-01-12T15:00:58Z","vendor":1},"_meta":{"vendor/x":[1.0]}}`,
	`{"uri":"ref:///blob","name":"blob","mimeType":"application/octet-stream","icons":[{"src":"https://example.com/i.png","theme":"dark"}]}`,
	`{"uri":"ref:///ask","name":"ask"}`,
	`{"uri":"ref:///many/","name":"many"}`,
	`{"uri":"ui://reference/panel","name":"panel","mimeType":"text/html;profile=mcp-app","_meta":{"ui":{"prefersBorder":true,"vendor":1}}}`,
	`{"uri":"https://example.com/doc","name":"doc"}`,
	`{"uri":"ref:///odd%20name?q=<é>&n=1#f","name":"odd name"}`,
}

const extraResource = `{"uri":"ref:///extra","name":"extra"}`

var templateDefinitions = []string{
	`{"vendor":1,"uriTemplate":"ref:///items/{id}{?q}","name":"item","title":"Item","mimeType":"text/plain","annotations":{"priority":1.0},"_meta":{"vendor/x":{}}}`,
	`{"uriTemplate":"ref:///{+path}/raw","name":"raw"}`,
	`{"uriTemplate":"other:///{x","name":"broken"}`,
}

const extraTemplate = `{"uriTemplate":"ref:///extra/{n}","name":"extra"}`

// formSchema asks for all that a form may ask for (2025-11-25, Elicitation).
const formSchema = `{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{` +
	`"number":{"type":"integer","minimum":0,"maximum":9007199254740993,"default":1,"x-vendor":true},` +
	`"mail":{"format":"email","type":"string","maxLength":100},` +
	`"pick":{"type":"string","oneOf":[{"const":"x","title":"X <é>"},{"const":"y","title":"Y"}]},` +
	`"many":{"type":"array","items":{"type":"string","enum":["a","b"]},"minItems":1},` +
	`"sure":{"type":"boolean","default":false}},"required":["sure"]}`

// samplingParams are members of what a model is asked.
const samplingParams = `"messages":[{"content":{"vendor":1,"type":"text","text":"hi <é>"},"role":"user"},` +
	`{"role":"assistant","content":[{"type":"image","data":"AAEC","mimeType":"image/png"},{"type":"hologram","data":1E400}],"_meta":{"vendor/x":1}}],` +
	`"temperature":0.0,"maxTokens":50,"systemPrompt":"be kind","modelPreferences":{"hints":[{"name":"m"}],"costPriority":0,"speedPriority":1.0},` +
	`"includeContext":"none","stopSequences":["\n"],"metadata":{"n":9007199254740993}`

// samplingTools are further members, for a client that declares them.
const samplingTools = `"tools":[{"name":"echo","inputSchema":{"type":"object","x":1.0}}],"toolChoice":{"mode":"required","vendor":1}`
