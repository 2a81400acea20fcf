namespace WebRtcIms.Tests.Common;

/// <summary>Answers must not contain what the request had in its headers, because scripts can read answers and not HttpOnly cookies.</summary>
public static class HeaderEcho
{
    private const string Marker = "marker-3f9a";

    /// <summary>Sends broken requests to each path, with a marker in headers, and expects no answer with it.</summary>
    public static async Task ExpectNoneAsync(HttpClient client, params string[] paths)
    {
        foreach (var path in paths)
        {
            foreach (var (method, content) in (IEnumerable<(HttpMethod, HttpContent?)>)
                [(HttpMethod.Get, null), (HttpMethod.Post, new StringContent("{broken", null, "application/json")), (HttpMethod.Put, new StringContent("x")),
                (HttpMethod.Delete, null)])
            {
                using var request = new HttpRequestMessage(method, path) { Content = content };
                request.Headers.Add("Cookie", $"wwsf-session={Marker}; wwsf-antiforgery={Marker}");
                request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {Marker}");
                request.Headers.Add("X-Other", Marker);
                request.Headers.Add("Accept", ["text/html", "application/json"]);
                using var answer = await client.SendAsync(request, TestContext.Current.CancellationToken);

                var all = $"{answer.Headers}{answer.Content.Headers}{await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)}";
                Assert.False(all.Contains(Marker, StringComparison.Ordinal), $"{method} {path}: {all}");
                Assert.False(all.Contains("   at ", StringComparison.Ordinal), $"{method} {path}: {all}");
            }
        }
    }
}
