using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Transport.Streams;

namespace WebRtcIms.Turn.Tests.Transport;

/// <summary>A TLS handshake gives its place back on every path, exactly once.</summary>
public sealed class HalfOpenHandshakeTests : IDisposable
{
    private readonly HalfOpenHandshakes _handshakes = new(most: 2);
    private readonly List<Handshake> _begun = [];

    public void Dispose() => _begun.ForEach(handshake => handshake.Dispose());

    [Fact]
    [Requirement("ABUSE-26")]
    public async Task HandshakeThatSucceeds_GivesItsPlaceBack_WhileItsConnectionLives()
    {
        var connection = Begin();
        Assert.Equal(1, _handshakes.Count);
        var serving = new TaskCompletionSource();
        var served = _handshakes.EndAsync(connection, _ => serving.Task);

        Assert.Equal(0, _handshakes.Count);
        serving.SetResult();
        await served;
        connection.Ending.SetResult();
        await connection.Running;
        Assert.Equal(0, _handshakes.Count);
        Assert.False(connection.IsAborted);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Requirement("ABUSE-26")]
    public async Task HandshakeThatEndsWithoutSuccess_GivesItsPlaceBack(bool throws)
    {
        var connection = Begin();
        if (throws) connection.Ending.SetException(new IOException("broken on purpose"));
        else connection.Ending.SetResult();

        if (throws) await Assert.ThrowsAsync<IOException>(() => connection.Running);
        else await connection.Running;
        Assert.Equal(0, _handshakes.Count);
    }

    [Fact]
    [Requirement("ABUSE-26")]
    public async Task HandshakeOverTheLimit_EvictsTheOldest_WhichGivesBackNothingMore()
    {
        var (first, second, third) = (Begin(), Begin(), Begin());
        Assert.Equal((true, false, false), (first.IsAborted, second.IsAborted, third.IsAborted));
        Assert.Equal(2, _handshakes.Count);

        // The end of the evicted one must not free a place of another.
        first.Ending.SetResult();
        await first.Running;
        Assert.Equal(2, _handshakes.Count);

        var fourth = Begin();
        Assert.Equal((true, false, false), (second.IsAborted, third.IsAborted, fourth.IsAborted));
        foreach (var connection in new[] { second, third, fourth })
        {
            connection.Ending.SetResult();
            await connection.Running;
        }

        Assert.Equal(0, _handshakes.Count);
    }

    [Fact]
    [Requirement("ABUSE-26")]
    public async Task HandshakeThatHasSucceeded_IsNotEvicted_AndNotAbortedByTheStop()
    {
        var first = Begin();
        await _handshakes.EndAsync(first, _ => Task.CompletedTask);
        Begin();
        Begin();

        Assert.False(first.IsAborted);
        first.RequestClose();
        Assert.False(first.IsAborted);
    }

    [Fact]
    [Requirement("ABUSE-26")]
    public async Task StopOfTheServer_AbortsAHandshake_AndFreesItsPlace()
    {
        var connection = Begin();
        connection.RequestClose();

        Assert.True(connection.IsAborted);
        Assert.Equal(0, _handshakes.Count);
        connection.Ending.SetResult();
        await connection.Running;
        Assert.Equal(0, _handshakes.Count);
    }

    private Handshake Begin()
    {
        var handshake = new Handshake();
        _begun.Add(handshake);
        handshake.Running = _handshakes.BeginAsync(handshake, _ => handshake.Ending.Task);
        return handshake;
    }

    private sealed class Handshake : DefaultConnectionContext, IConnectionLifetimeNotificationFeature, IDisposable
    {
        private readonly CancellationTokenSource _stopping = new();

        public Handshake()
        {
            Features.Set<IConnectionLifetimeNotificationFeature>(this);
            ConnectionClosedRequested = _stopping.Token;
        }

        public TaskCompletionSource Ending { get; } = new();

        public Task Running { get; set; } = Task.CompletedTask;

        public bool IsAborted { get; private set; }

        public CancellationToken ConnectionClosedRequested { get; set; }

        public void RequestClose() => _stopping.Cancel();

        public override void Abort(ConnectionAbortedException abortReason) => IsAborted = true;

        public void Dispose() => _stopping.Dispose();
    }
}
