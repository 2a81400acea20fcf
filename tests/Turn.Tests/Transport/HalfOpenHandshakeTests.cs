using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Transport.Streams;

namespace WebRtcIms.Turn.Tests.Transport;

/// <summary>A stop of the server ends TLS handshakes, and nothing else.</summary>
public sealed class HalfOpenHandshakeTests
{
    [Fact]
    [Requirement("ABUSE-26")]
    public async Task StopOfTheServer_AbortsAHandshake()
    {
        using var connection = new Handshake();
        var running = HalfOpenHandshakes.BeginAsync(connection, _ => connection.Ending.Task);
        Assert.False(connection.IsAborted);
        connection.RequestClose();

        Assert.True(connection.IsAborted);
        connection.Ending.SetResult();
        await running;
    }

    [Fact]
    [Requirement("ABUSE-26")]
    public async Task StopOfTheServer_DoesNotAbortWhatComesAfterTheHandshake()
    {
        using var connection = new Handshake();
        var running = HalfOpenHandshakes.BeginAsync(
            connection, context => HalfOpenHandshakes.EndAsync(context, _ => connection.Ending.Task));
        connection.RequestClose();

        Assert.False(connection.IsAborted);
        connection.Ending.SetResult();
        await running;
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

        public bool IsAborted { get; private set; }

        public CancellationToken ConnectionClosedRequested { get; set; }

        public void RequestClose() => _stopping.Cancel();

        public override void Abort(ConnectionAbortedException abortReason) => IsAborted = true;

        public void Dispose() => _stopping.Dispose();
    }
}
