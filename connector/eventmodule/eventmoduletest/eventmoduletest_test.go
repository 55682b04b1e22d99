package eventmoduletest_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"ribambelle/connector/eventmodule/eventmoduletest"
)

// TestStart logs in over the wire, so that the promise to other rooms holds.
func TestStart(t *testing.T) {
	t.Parallel()
	url, _, _ := eventmoduletest.Start(t)
	body := `<methodCall><methodName>login</methodName><params>
		<param><value>odoo</value></param><param><value>admin</value></param><param><value>admin</value></param></params></methodCall>`
	resp, err := http.Post(url+"/xmlrpc/2/common", "text/xml", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(answer), "<int>2</int>") {
		t.Errorf("login answered %s", answer)
	}
}
