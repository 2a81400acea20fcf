using System.Net;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using WebRtcIms.ServiceDefaults.Admission;

namespace WebRtcIms.FlowView.Query;

/// <summary>The traces that got spans or log records since the last notice; null if they are too many to name.</summary>
internal sealed record Change(IReadOnlyCollection<string>? Traces);

/// <summary>
/// Notifies open pages of what has arrived, a few times a second at most. A page that reads slowly misses nothing: changes add up
/// until it reads them. Each client address has a share of the streams; beyond it, its oldest one ends.
/// </summary>
internal sealed class LiveFeed(ConnectionAdmission admission, TimeProvider time)
{
    private const int MaxTracesNamed = 200;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(10);

    // The page of a stream that has given way must not take the place of the next one at once.
    private static readonly TimeSpan Reconnection = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly HashSet<Listener> _listeners = [];

    public void Notify(IEnumerable<UInt128> traces)
    {
        var changed = traces.Where(trace => trace != 0).ToHashSet();
        if (changed.Count == 0) return;
        lock (_lock)
        {
            foreach (var listener in _listeners)
            {
                listener.Add(changed);
                listener.Signal.Writer.TryWrite(true);
            }
        }
    }

    /// <summary>Changes until the client ends, or gives way to another one.</summary>
    public async IAsyncEnumerable<SseItem<Change>> ListenAsync(
        IPAddress? client, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var listener = new Listener();
        using var place = admission.TryAdmit(client, () => listener.Signal.Writer.TryComplete());
        lock (_lock) _listeners.Add(listener);
        try
        {
            // The first event tells the page that it is connected.
            yield return new SseItem<Change>(new Change([]), "hello");
            while (!cancellationToken.IsCancellationRequested && !listener.Signal.Reader.Completion.IsCompleted)
            {
                var change = await NextAsync(listener, cancellationToken);
                yield return change is null ? new SseItem<Change>(new Change([]), "alive") : new SseItem<Change>(change, "change");
                if (change is not null) await Task.Delay(Pause, time, cancellationToken);
            }

            if (listener.Signal.Reader.Completion.IsCompleted)
                yield return new SseItem<Change>(new Change([]), "alive") { ReconnectionInterval = Reconnection };
        }
        finally
        {
            lock (_lock) _listeners.Remove(listener);
        }
    }

    // Null after a while without changes. Proxies close a silent connection, so the feed then sends a sign of life.
    private async Task<Change?> NextAsync(Listener listener, CancellationToken cancellationToken)
    {
        using var silence = new CancellationTokenSource(Heartbeat, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(silence.Token, cancellationToken);
        try
        {
            await listener.Signal.Reader.ReadAsync(either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return null;
        }
        catch (ChannelClosedException)
        {
            return null;
        }
        lock (_lock) return listener.Drain();
    }

    private sealed class Listener
    {
        private HashSet<UInt128>? _traces = [];

        public Channel<bool> Signal { get; } =
            Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

        public void Add(IEnumerable<UInt128> traces)
        {
            _traces?.UnionWith(traces);
            if (_traces?.Count > MaxTracesNamed) _traces = null;
        }

        public Change Drain()
        {
            var change = new Change(_traces is null ? null : [.. _traces.Select(Json.TraceId)]);
            _traces = [];
            return change;
        }
    }
}
