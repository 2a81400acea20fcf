namespace WebRtcIms.Tests.Common;

/// <summary>Answers must not contain headers of the request: scripts can read answers, and so an HttpOnly cookie in them.</summary>
public static class HeaderEcho
{
    private const string Marker = "marker-3f9a";

    /// <summary>Sends broken requests to each path, with a marker in headers, and expects no answer with it.</summary>
    public static async Task ExpectNoneAsync(HttpClient client, params string[] paths)
    {
        foreach (var path in paths)
        {
            foreach (var method in (HttpMethod[])[HttpMethod.Get, HttpMethod.Post, HttpMethod.Put, HttpMethod.Delete])
            {
                using var request = new HttpRequestMessage(method, path);
                if (method == HttpMethod.Post) request.Content = new StringContent("{broken", null, "application/json");
                request.Headers.Add("Cookie", $"wwsf-session={Marker}; wwsf-antiforgery={Marker}");
                request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {Marker}");
                request.Headers.Add("X-Other", Marker);
                request.Headers.Add("Accept", ["text/html", "application/json"]);
                using var answer = await client.SendAsync(request, TestContext.Current.CancellationToken);

                var body = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
                var all = $"{answer.Headers}{answer.Content.Headers}{body}";
                Assert.False(all.Contains(Marker, StringComparison.Ordinal), $"{method} {path}: {all}");
                Assert.False(all.Contains("   at ", StringComparison.Ordinal), $"{method} {path}: {all}");
            }
        }
    }
}
