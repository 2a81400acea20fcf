using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using WebRtcIms.FlowView.Store;

namespace WebRtcIms.FlowView.Query;

/// <summary>What has changed since the last notice. <c>Traces</c> is null when so many did that naming them does not help.</summary>
internal sealed record Change(bool Spans, bool Logs, bool Metrics, IReadOnlyCollection<string>? Traces);

/// <summary>
/// Tells open pages what has arrived, a few times a second at most. A page that reads slowly misses nothing: changes add up
/// until it takes them.
/// </summary>
internal sealed class LiveFeed(TimeProvider clock)
{
    private const int MaxListeners = 100;
    private const int MaxTracesNamed = 200;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private readonly HashSet<Listener> _listeners = [];

    public void SpansArrived(IReadOnlyCollection<Span> spans)
    {
        if (spans.Count > 0) Tell(listener => listener.Spans(spans));
    }

    public void LogsArrived() => Tell(listener => listener.HasLogs = true);

    public void MetricsArrived() => Tell(listener => listener.HasMetrics = true);

    /// <summary>Null when too many listen already.</summary>
    public IAsyncEnumerable<SseItem<Change>>? TryListen(CancellationToken cancellationToken)
    {
        var listener = new Listener();
        lock (_lock)
        {
            if (_listeners.Count >= MaxListeners) return null;
            _listeners.Add(listener);
        }
        return ListenAsync(listener, cancellationToken);
    }

    private async IAsyncEnumerable<SseItem<Change>> ListenAsync(Listener listener, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        try
        {
            // The first event tells the page that it is connected.
            yield return new SseItem<Change>(new Change(false, false, false, []), "hello");
            while (!cancellationToken.IsCancellationRequested)
            {
                var change = await NextAsync(listener, cancellationToken);
                yield return change is null ? new SseItem<Change>(new Change(false, false, false, []), "alive") : new SseItem<Change>(change, "change");
                if (change is not null) await Task.Delay(Pause, clock, cancellationToken);
            }
        }
        finally
        {
            lock (_lock) _listeners.Remove(listener);
        }
    }

    // Null after a time without any change: proxies close a connection on which nothing moves.
    private async Task<Change?> NextAsync(Listener listener, CancellationToken cancellationToken)
    {
        using var silence = new CancellationTokenSource(Heartbeat, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(silence.Token, cancellationToken);
        try
        {
            await listener.Signal.Reader.ReadAsync(either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return null;
        }
        lock (_lock) return listener.Take();
    }

    private void Tell(Action<Listener> note)
    {
        lock (_lock)
        {
            foreach (var listener in _listeners)
            {
                note(listener);
                listener.Signal.Writer.TryWrite(true);
            }
        }
    }

    private sealed class Listener
    {
        private HashSet<UInt128>? _traces = [];
        private bool _hasSpans;

        public Channel<bool> Signal { get; } = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

        public bool HasLogs { get; set; }

        public bool HasMetrics { get; set; }

        public void Spans(IReadOnlyCollection<Span> spans)
        {
            _hasSpans = true;
            _traces?.UnionWith(spans.Select(span => span.TraceId));
            if (_traces?.Count > MaxTracesNamed) _traces = null;
        }

        public Change Take()
        {
            var change = new Change(_hasSpans, HasLogs, HasMetrics, _traces is null ? null : [.. _traces.Select(Json.TraceId)]);
            (_traces, _hasSpans, HasLogs, HasMetrics) = ([], false, false, false);
            return change;
        }
    }
}
