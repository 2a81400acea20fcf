using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace WebRtcIms.EpCscf.Tests;

public sealed class DirectoryTests : IAsyncLifetime
{
    private EpCscfApp _app = null!;
    private HttpClient _client = null!;

    public ValueTask InitializeAsync()
    {
        _app = EpCscfApp.Start();
        _client = new HttpClient { BaseAddress = _app.Address };
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _app.DisposeAsync();
    }

    [Fact]
    public async Task RegisteredSession_SeesWhoElseIsOnline()
    {
        await using var alice = await _app.RegisterAsync("alice");
        await using var guest = await _app.RegisterAsync("guest-2");
        await using var bob = await _app.RegisterAsync("bob");

        var (status, body) = await GetAsync("/directory", alice.Token);

        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal(
            """{"online":[{"impu":"sip:bob@ims.example","display_name":"Bob"},{"impu":"sip:guest-2@ims.example","display_name":"Guest 2"}]}""", body.GetRawText());
    }

    [Fact]
    public async Task WhoIsNotOnline_SeesNobody()
    {
        await using var bob = await _app.RegisterAsync("bob");
        Assert.Equal(HttpStatusCode.Unauthorized, (await GetAsync("/directory", token: null)).Status);
        Assert.Equal(HttpStatusCode.Unauthorized, (await GetAsync("/directory", "nonsense")).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await GetAsync("/directory", _app.Token("alice"))).Status);
        Assert.Equal(
            HttpStatusCode.Forbidden,
            (await GetAsync("/directory", _app.Token("bob", change: token => token with { SessionId = "another" }))).Status);
    }

    [Fact]
    public async Task Session_IsRegisteredUntilItEnds()
    {
        Assert.Equal("""{"registered":false,"expires_in":0}""", (await GetAsync("/sessions/session-of-alice")).Body.GetRawText());
        await using var alice = await _app.RegisterAsync("alice");
        var (_, body) = await GetAsync("/sessions/session-of-alice");
        Assert.True(body.GetProperty("registered").GetBoolean());
        Assert.InRange(body.GetProperty("expires_in").GetInt32(), 590, 600);

        using var deleted =
            await _client.DeleteAsync(new Uri("/sessions/session-of-alice", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
        Assert.False((await GetAsync("/sessions/session-of-alice")).Body.GetProperty("registered").GetBoolean());
        Assert.Equal(HttpStatusCode.Unauthorized, (await GetAsync("/directory", alice.Token)).Status);
    }

    private async Task<(HttpStatusCode Status, JsonElement Body)> GetAsync(string path, string? token = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (token is not null) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var answer = await _client.SendAsync(request, TestContext.Current.CancellationToken);
        return (answer.StatusCode, JsonElement.Parse(await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)));
    }
}
