package genesys_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"usersyncd/sync/plan"
)

// A listing of 5,000 users: ten pages decoded and turned into fields.
func BenchmarkList(b *testing.B) {
	users := make([]string, 500)
	for i := range users {
		users[i] = fmt.Sprintf(`{"id":"u%d","version":3,"name":"Ana Pérez","email":"ana%d@example.com","state":"active","title":"Agent","department":"Support",`+
			`"manager":{"id":"m1","selfUri":"/api/v2/users/m1"},"acdAutoAnswer":false,"certifications":["PCI"],"employerInfo":{"employeeId":"007"},`+
			`"addresses":[{"address":"+34600000001","display":"+34 600 000 001","mediaType":"PHONE","type":"WORK"},{"extension":"4021","display":"4021","mediaType":"PHONE","type":"WORK2"}]}`, i, i)
	}
	text := `{"entities":[` + strings.Join(users, ",") + `],"pageCount":5}`
	pages := map[string]reply{}
	f := &fake{api: func(r *http.Request, _ string) reply {
		return pages[r.URL.Query().Get("state")+r.URL.Query().Get("pageNumber")]
	}}
	for _, state := range []string{"active", "inactive"} {
		for n := range 5 {
			name := fmt.Sprint(state, n+1)
			pages[name] = jsonReply(200, strings.ReplaceAll(text, `"id":"u`, `"id":"`+name+"-"))
		}
	}
	d, _ := open(b, f, nil)
	b.ReportAllocs()
	for b.Loop() {
		if l, err := list(b.Context(), d); err != nil || len(l.Users) != 5000 {
			b.Fatal(len(l.Users), err)
		}
	}
}

// One change, compiled and sent.
func BenchmarkDo(b *testing.B) {
	f := &fake{api: userReply}
	d, _ := open(b, f, nil)
	c := retitle()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Do(b.Context(), d.Compile([]*plan.Change{c})[0]); err != nil {
			b.Fatal(err)
		}
	}
}
