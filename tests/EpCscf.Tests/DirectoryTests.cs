using System.Net;
using System.Net.Http.Headers;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.EpCscf.Presence;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

public sealed class DirectoryTests : IAsyncLifetime
{
    private readonly FakeTimeProvider _time = new(new(2026, 11, 23, 21, 0, 0, TimeSpan.Zero));
    private readonly CountingStore _store;
    private EpCscfApp _app = null!;
    private HttpClient _client = null!;

    public DirectoryTests() => _store = new(new InMemoryBindingStore(_time));

    public ValueTask InitializeAsync()
    {
        _app = new EpCscfApp { Time = _time }.With("EpCscf:Limits:DirectoryRequestsPerMinute", "30").Replace<IBindingStore>(_store)
            .Listen();
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

        var (status, body) = await GetAsync(alice.Token);

        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal(
            """{"online":[{"impu":"sip:bob@ims.example","display_name":"Bob"},{"impu":"sip:guest-2@ims.example","display_name":"Guest 2"}]}""", body);
    }

    [Fact]
    public async Task WhoIsNotOnline_SeesNobody()
    {
        await using var bob = await _app.RegisterAsync("bob");
        Assert.Equal(HttpStatusCode.Unauthorized, (await GetAsync(token: null)).Status);
        Assert.Equal(HttpStatusCode.Unauthorized, (await GetAsync("nonsense")).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await GetAsync(_app.Token("alice"))).Status);
        Assert.Equal(
            HttpStatusCode.Forbidden, (await GetAsync(_app.Token("bob", change: token => token with { SessionId = "another" }))).Status);
        Assert.Equal(0, _store.Questions);
    }

    [Fact]
    [Requirement("SEC-25")]
    public async Task AllCallers_ShareOneAnswerForTwoSeconds()
    {
        await using var alice = await _app.RegisterAsync("alice");
        await using var bob = await _app.RegisterAsync("bob");
        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => GetAsync((i % 2 == 0 ? alice : bob).Token)));

        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer.Status));
        Assert.Equal(1, _store.Questions);
        Assert.Contains("sip:bob@", answers[0].Body);
        Assert.DoesNotContain("sip:alice@", answers[0].Body);
        Assert.Contains("sip:alice@", answers[1].Body);

        await using var guest = await _app.RegisterAsync("guest-2");
        Assert.DoesNotContain("guest-2", (await GetAsync(alice.Token)).Body);
        _time.Advance(OnlineUsers.Lifetime);
        Assert.Contains("guest-2", (await GetAsync(alice.Token)).Body);
        Assert.Equal(2, _store.Questions);
    }

    [Fact]
    [Requirement("SEC-25")]
    public async Task QuestionThatFails_IsAskedAgain()
    {
        await using var alice = await _app.RegisterAsync("alice");
        _store.Fails = true;
        Assert.Equal(HttpStatusCode.InternalServerError, (await GetAsync(alice.Token)).Status);
        _store.Fails = false;
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(alice.Token)).Status);
    }

    [Fact]
    [Requirement("SEC-25")]
    public async Task TooManyRequestsOfOneIdentity_Are429WithRetryAfter_AndReachNoStore()
    {
        await using var alice = await _app.RegisterAsync("alice");
        await using var bob = await _app.RegisterAsync("bob");
        for (var i = 0; i < 30; i++) Assert.Equal(HttpStatusCode.OK, (await GetAsync(alice.Token)).Status);

        // Another token of the same user does not help. Tokens that are not good count for nobody.
        var before = _store.Lookups;
        Assert.Equal((HttpStatusCode.TooManyRequests, "2"), await RefusalAsync(alice.Token!));
        Assert.Equal((HttpStatusCode.TooManyRequests, "2"), await RefusalAsync(_app.Token("alice")));
        Assert.Equal(before, _store.Lookups);
        for (var i = 0; i < 31; i++) Assert.Equal(HttpStatusCode.Unauthorized, (await GetAsync($"{bob.Token}x")).Status);
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(bob.Token)).Status);

        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(alice.Token)).Status);
    }

    [Fact]
    [Requirement("SEC-25")]
    public async Task AllTogether_HaveALimitThatAllPagesCanKeep()
    {
        await using var app = new EpCscfApp { Time = _time }.With("EpCscf:Limits:Connections", "4").Listen();
        await using var alice = await app.RegisterAsync("alice");
        await using var bob = await app.RegisterAsync("bob");
        using var client = new HttpClient { BaseAddress = app.Address };
        for (var i = 0; i < 4; i++) Assert.Equal(HttpStatusCode.OK, (await GetAsync((i % 2 == 0 ? alice : bob).Token, client)).Status);
        Assert.Equal(HttpStatusCode.TooManyRequests, (await GetAsync(bob.Token, client)).Status);

        // Four pages that ask every 4 s.
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(bob.Token, client)).Status);
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(alice.Token, client)).Status);
        Assert.Equal(HttpStatusCode.TooManyRequests, (await GetAsync(alice.Token, client)).Status);
    }

    private async Task<(HttpStatusCode Status, string Body)> GetAsync(string? token, HttpClient? client = null)
    {
        using var answer = await SendAsync(token, client);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    private async Task<(HttpStatusCode Status, string? RetryAfter)> RefusalAsync(string token)
    {
        using var answer = await SendAsync(token);
        return (answer.StatusCode, answer.Headers.RetryAfter?.ToString());
    }

    private async Task<HttpResponseMessage> SendAsync(string? token, HttpClient? client = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/directory");
        if (token is not null) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return await (client ?? _client).SendAsync(request, TestContext.Current.CancellationToken);
    }

    /// <summary>Counts the questions about all subscribers, and about one.</summary>
    private sealed class CountingStore(IBindingStore store) : IBindingStore
    {
        private int _questions;
        private int _lookups;

        public int Questions => _questions;

        public int Lookups => _lookups;

        public bool Fails { get; set; }

        public ValueTask<IReadOnlyList<Binding>> FindAsync(string subscriber)
        {
            Interlocked.Increment(ref _lookups);
            return store.FindAsync(subscriber);
        }

        public ValueTask<string?> LocateAsync(BindingId id) => store.LocateAsync(id);

        public ValueTask<Binding?> SaveAsync(Binding binding) => store.SaveAsync(binding);

        public ValueTask<bool> RestoreAsync(Binding binding) => store.RestoreAsync(binding);

        public ValueTask<bool> RemoveAsync(Binding binding) => store.RemoveAsync(binding);

        public ValueTask<IReadOnlySet<string>> OnlineAsync(IReadOnlyCollection<string> subscribers)
        {
            Interlocked.Increment(ref _questions);
            return Fails ? throw new InvalidOperationException("The store does not work") : store.OnlineAsync(subscribers);
        }

        public ValueTask<IReadOnlyList<Binding>> FindSessionAsync(string sessionId) => store.FindSessionAsync(sessionId);
    }
}
