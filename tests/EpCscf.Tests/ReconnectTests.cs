using WebRtcIms.EpCscf.Connections;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Transactions;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

/// <summary>A page that connects again before the server has noticed that its former connection is lost.</summary>
public sealed class ReconnectTests : IAsyncLifetime
{
    private readonly PausingStore _store = new();
    private EpCscfApp _app = null!;
    private Wic _alice = null!;
    private Wic _bob = null!;

    public async ValueTask InitializeAsync()
    {
        _app = EpCscfApp.Start(_store);
        _alice = await _app.RegisterAsync("alice");
        _bob = await _app.RegisterAsync("bob");
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
    [Requirement("RFC3261-17.1")]
    public async Task RequestWithoutAResponse_IsSentOverTheNewConnection(string method)
    {
        await _alice.SendAsync(_alice.Request(method, _bob.Impu));
        if (method == "INVITE") await _alice.ExpectAsync("SIP/2.0 100");
        var lost = await _bob.ExpectAsync(method);

        await using var again = await _bob.ReconnectAsync();
        Assert.StartsWith("SIP/2.0 200", (await again.RegisterAsync(_app.Token("bob"))).StartLine);
        var received = await again.ExpectAsync(method);
        Assert.Equal(lost.Text, received.Text);
        await again.AnswerAsync(received, 200, "OK");
        await _alice.ExpectAsync("SIP/2.0 200");
    }

    [Fact]
    public async Task RequestWithAResponse_IsNotSentAgain()
    {
        await _alice.SendAsync(_alice.Invite(_bob.Impu));
        await _alice.ExpectAsync("SIP/2.0 100");
        await _bob.AnswerAsync(await _bob.ExpectAsync("INVITE"), 180, "Ringing");
        await _alice.ExpectAsync("SIP/2.0 180");

        await using var again = await _bob.ReconnectAsync();
        Assert.StartsWith("SIP/2.0 200", (await again.RegisterAsync(_app.Token("bob"))).StartLine);
        await again.AssertNothingAsync();
    }

    [Fact]
    [Requirement("RFC5626-6")]
    public async Task TwoConnectionsThatRegisterAtOnce_TheLastOneHasTheBindingHereAndInTheStore()
    {
        var pause = _store.PauseAfterSave();
        await using var first = await _bob.ReconnectAsync();
        await using var second = await _bob.ReconnectAsync();
        var firstOk = first.RegisterAsync(_app.Token("bob"));
        await pause.Saved;
        // A higher CSeq, so that only the order matters.
        var secondOk = second.AskAsync(second.Request(
            "REGISTER", $"sip:{EpCscfApp.Domain}", second.Impu,
            $"Contact: <{second.Contact}>;reg-id=1;+sip.instance=\"<{second.Instance}>\"\r\n" +
            $"Authorization: Bearer {_app.Token("bob")}\r\n", callId: $"reg-{second.Instance}", cseq: 50));
        await Eventually.IsTrueAsync(() => _app.Service<TransactionTable>().Count >= 2);
        pause.End();
        Assert.StartsWith("SIP/2.0 200", (await firstOk).StartLine);
        Assert.StartsWith("SIP/2.0 200", (await secondOk).StartLine);

        var stored = Assert.Single(await _store.FindSessionAsync("session-of-bob"));
        Assert.Equal(stored.FlowId, _app.Service<Flows>().Find(stored.Id)?.Id);
        await first.Closed.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.Equal(4409, (int?)first.Socket.CloseStatus);
        await second.AssertNothingAsync();
    }

    [Fact]
    [Requirement("RFC5626-6")]
    public async Task BindingThatAnotherReplicaSavesMeanwhile_IsReplacedThere()
    {
        var replaced = new TaskCompletionSource<Binding>();
        _app.Service<Registrar>().BindingLost += (binding, loss) =>
        {
            if (loss == BindingLoss.Replaced) replaced.TrySetResult(binding);
            return Task.CompletedTask;
        };
        var known = Assert.Single(await _store.FindSessionAsync("session-of-bob"));
        _store.OnFound = store => store.SaveAsync(known with { FlowId = "a connection of another replica", Replica = "0123456789abcdef" });

        await using var again = await _bob.ReconnectAsync();
        Assert.StartsWith("SIP/2.0 200", (await again.RegisterAsync(_app.Token("bob"))).StartLine);
        Assert.Equal("a connection of another replica", (await replaced.Task).FlowId);
    }

    private sealed class PausingStore : IBindingStore
    {
        private readonly InMemoryBindingStore _inner = new(TimeProvider.System);
        private Pause? _pause;

        /// <summary>What another replica does when this one has just read the bindings.</summary>
        public Func<InMemoryBindingStore, ValueTask<Binding?>>? OnFound { get; set; }

        public Pause PauseAfterSave() => _pause = new();

        public async ValueTask<IReadOnlyList<Binding>> FindAsync(string subscriber)
        {
            var found = await _inner.FindAsync(subscriber);
            if (OnFound is { } action) await action(_inner);
            OnFound = null;
            return found;
        }

        public ValueTask<string?> LocateAsync(BindingId id) => _inner.LocateAsync(id);

        public async ValueTask<Binding?> SaveAsync(Binding binding)
        {
            var replaced = await _inner.SaveAsync(binding);
            if (Interlocked.Exchange(ref _pause, null) is { } pause) await pause.WaitAsync();
            return replaced;
        }

        public ValueTask<bool> RestoreAsync(Binding binding) => _inner.RestoreAsync(binding);

        public ValueTask<bool> RemoveAsync(Binding binding) => _inner.RemoveAsync(binding);

        public ValueTask<IReadOnlySet<string>> OnlineAsync(IReadOnlyCollection<string> subscribers) => _inner.OnlineAsync(subscribers);

        public ValueTask<IReadOnlyList<Binding>> FindSessionAsync(string sessionId) => _inner.FindSessionAsync(sessionId);
    }

    private sealed class Pause
    {
        private readonly TaskCompletionSource _saved = new();
        private readonly TaskCompletionSource _ended = new();

        public Task Saved => _saved.Task;

        public void End() => _ended.SetResult();

        public Task WaitAsync()
        {
            _saved.SetResult();
            return _ended.Task;
        }
    }
}
