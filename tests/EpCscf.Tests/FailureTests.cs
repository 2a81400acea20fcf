using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Transactions;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

/// <summary>A fault of the server itself: whoever asked hears of it, and nobody else.</summary>
public sealed class FailureTests : IAsyncLifetime
{
    private readonly FaultyStore _store = new();
    private EpCscfApp _app = null!;
    private Wic _alice = null!;
    private Wic _bob = null!;

    public async ValueTask InitializeAsync()
    {
        _app = EpCscfApp.Start(_store);
        _alice = await _app.RegisterAsync("alice");
        _bob = await _app.RegisterAsync("bob");
        _store.IsBroken = true;
    }

    public async ValueTask DisposeAsync()
    {
        await _alice.DisposeAsync();
        await _bob.DisposeAsync();
        await _app.DisposeAsync();
    }

    [Theory]
    [InlineData("INVITE")]
    [InlineData("MESSAGE")]
    [Requirement("RFC3261-21.5.1")]
    public async Task RequestThatCannotBeHandled_Is500WithRetryAfter_LoggedOnce(string method)
    {
        var answer = await _alice.AskAsync(_alice.Request(method, "sip:bob@ims.example"));

        Assert.Equal("SIP/2.0 500 Server Internal Error", answer.StartLine);
        Assert.Equal("5", answer["Retry-After"]);
        await _alice.AssertNothingAsync();
        Assert.Single(_app.Logs.Records, record => record.StartsWith("Error", StringComparison.Ordinal));
    }

    [Fact]
    public async Task RegisterThatCannotBeHandled_Is500_AndTheNextOneIsGood()
    {
        Assert.StartsWith("SIP/2.0 500", (await _alice.RegisterAsync(_app.Token("alice"))).StartLine);
        _store.IsBroken = false;
        Assert.StartsWith("SIP/2.0 200", (await _alice.RegisterAsync(_app.Token("alice"))).StartLine);
    }

    [Fact]
    public async Task OtherRequestsOfTheConnection_GoOn()
    {
        _store.IsBroken = false;
        await _alice.SendAsync(_alice.Request("MESSAGE", "sip:bob@ims.example"));
        var message = await _bob.ExpectAsync("MESSAGE");

        _store.IsBroken = true;
        var invite = _alice.Invite("sip:bob@ims.example");
        var failed = await _alice.AskAsync(invite);
        Assert.StartsWith("SIP/2.0 500", failed.StartLine);

        // As an answer of the transaction's own: it ends with its ACK.
        await _alice.SendAsync(Wic.Following(invite, "ACK", failed["To"]));
        await _bob.AnswerAsync(message, 200, "OK");
        Assert.EndsWith("MESSAGE", (await _alice.ExpectAsync("SIP/2.0 200"))["CSeq"]);
        await _alice.AssertNothingAsync();
        Assert.Equal(0, _app.Service<TransactionTable>().Count);
    }

    /// <summary>Finds nothing but an exception, at will.</summary>
    private sealed class FaultyStore : IBindingStore
    {
        private readonly InMemoryBindingStore _inner = new(TimeProvider.System);

        public bool IsBroken { get; set; }

        public ValueTask<IReadOnlyList<Binding>> FindAsync(string subscriber) =>
            IsBroken ? throw new InvalidOperationException("A fault that nobody foresaw") : _inner.FindAsync(subscriber);

        public ValueTask<string?> LocateAsync(BindingId id) => _inner.LocateAsync(id);

        public ValueTask<Binding?> SaveAsync(Binding binding) => _inner.SaveAsync(binding);

        public ValueTask<bool> RestoreAsync(Binding binding) => _inner.RestoreAsync(binding);

        public ValueTask<bool> RemoveAsync(Binding binding) => _inner.RemoveAsync(binding);

        public ValueTask<IReadOnlySet<string>> OnlineAsync(IReadOnlyCollection<string> subscribers) => _inner.OnlineAsync(subscribers);

        public ValueTask<IReadOnlyList<Binding>> FindSessionAsync(string sessionId) => _inner.FindSessionAsync(sessionId);
    }
}
