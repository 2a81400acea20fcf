using System.Threading.RateLimiting;

namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// The sessions that may write into a trace. The first session that uses a trace id begins the trace. A server that hands the id to another
/// session adds it. Where the id comes to it another way, a session may join while the trace is in use: the gateway does not see the
/// INVITE. The id of an older trace, which people copy and operators see, admits no one. A session begins a limited number of traces, so it
/// cannot push out those of others.
/// </summary>
public sealed class TraceMembers(TimeProvider time) : IDisposable
{
    /// <summary>Longer than a callee's phone rings.</summary>
    public static readonly TimeSpan InUse = TimeSpan.FromMinutes(5);

    private const int MaxTraces = 50_000;
    private const int MaxOwn = 100_000;
    private const int MaxSessions = 16;
    private const int BegunPerMinute = 60;

    private readonly PartitionedRateLimiter<string> _begun = PartitionedRateLimiter.Create<string, string>(session =>
        RateLimitPartition.GetFixedWindowLimiter(session, _ => new FixedWindowRateLimiterOptions
        {
            PermitLimit = BegunPerMinute,
            Window = TimeSpan.FromMinutes(1),
        }));

    private readonly Lock _lock = new();
    private readonly Dictionary<ActivityTraceId, Members> _traces = [];
    private readonly Queue<ActivityTraceId> _byAge = [];
    private readonly HashSet<ActivityTraceId> _own = [];
    private readonly Queue<ActivityTraceId> _ownByAge = [];

    /// <summary>Whether the session is one of the trace, or becomes one now.</summary>
    /// <param name="trace">The trace.</param>
    /// <param name="session">The session.</param>
    /// <param name="mayJoin">Whether a trace of other sessions admits this one while it is in use.</param>
    public bool Admit(ActivityTraceId trace, string session, bool mayJoin = true)
    {
        lock (_lock)
        {
            if (_own.Contains(trace)) return false;
            var now = time.GetTimestamp();
            if (!_traces.TryGetValue(trace, out var members))
            {
                if (!_begun.AttemptAcquire(session).IsAcquired) return false;
                members = Begin(trace, now);
            }

            var isMember = members.Sessions.Contains(session);
            var isNew = members.Sessions.Count == 0;
            if (!isMember && !isNew && (!mayJoin || time.GetElapsedTime(members.LastUse, now) > InUse)) return false;
            return members.TryAdd(session, now);
        }
    }

    /// <summary>Adds a session that gets the trace's id from this server.</summary>
    public void Add(ActivityTraceId trace, string session)
    {
        lock (_lock)
        {
            var now = time.GetTimestamp();
            if (!_traces.TryGetValue(trace, out var members)) members = Begin(trace, now);
            members.TryAdd(session, now);
        }
    }

    /// <summary>The gateway began this trace, so no session writes into it.</summary>
    public void Close(ActivityTraceId trace)
    {
        lock (_lock)
        {
            if (_ownByAge.Count >= MaxOwn) _own.Remove(_ownByAge.Dequeue());
            if (_own.Add(trace)) _ownByAge.Enqueue(trace);
        }
    }

    public void Dispose() => _begun.Dispose();

    private Members Begin(ActivityTraceId trace, long now)
    {
        if (_byAge.Count >= MaxTraces) _traces.Remove(_byAge.Dequeue());
        _byAge.Enqueue(trace);
        return _traces[trace] = new Members { LastUse = now };
    }

    private sealed class Members
    {
        public List<string> Sessions { get; } = [];

        public long LastUse { get; set; }

        public bool TryAdd(string session, long now)
        {
            if (!Sessions.Contains(session))
            {
                if (Sessions.Count >= MaxSessions) return false;
                Sessions.Add(session);
            }

            LastUse = now;
            return true;
        }
    }
}
