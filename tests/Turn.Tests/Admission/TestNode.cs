using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Turn.Admission;
using WebRtcIms.Turn.Settings;
using WebRtcIms.Turn.Telemetry;

namespace WebRtcIms.Turn.Tests.Admission;

/// <summary>What one node of a fleet decides Allocates with.</summary>
internal sealed class TestNode
{
    private readonly TokenCache? _tokens;

    public TestNode(
        EngineFixture fixture, IConnectionMultiplexer? redis, QuotaSettings? quotas = null,
        CacheUnavailablePolicy policy = CacheUnavailablePolicy.AllowLocal, TimeProvider? time = null, string? alternate = null)
    {
        Settings = new TurnSettings
        {
            Quotas = quotas ?? new QuotaSettings(),
            OnCacheUnavailable = policy,
            Drain = { AlternateServer = alternate },
        };
        Clock = time ?? new ShiftedClock(fixture.Time.Utc - TimeProvider.System.GetUtcNow());
        Quotas = new AllocationQuotas(Settings.Quotas);
        Meters = new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<IMeterFactory>();
        Metrics = new TurnMetrics(Meters);
        _tokens = redis is null ? null : new TokenCache(
            redis, Metrics, Settings, Clock, new LoggerFactory([Logs]).CreateLogger<TokenCache>());
        Revocations = new Revocations(Clock);
        Drain = new Drain(
            Settings, Quotas, new ApplicationLifetime(NullLogger<ApplicationLifetime>.Instance), Clock, NullLogger<Drain>.Instance);
        Admission = new AllocationAdmission(Quotas, new ReplayCache(), Revocations, Drain, Metrics, Settings, Clock, _tokens);
    }

    public LogRecorder Logs { get; } = new();

    public TurnSettings Settings { get; }

    public TimeProvider Clock { get; }

    public AllocationQuotas Quotas { get; }

    public Revocations Revocations { get; }

    public Drain Drain { get; }

    public IMeterFactory Meters { get; }

    public TurnMetrics Metrics { get; }

    public TokenCache Tokens => _tokens ?? throw new InvalidOperationException("this node has no Redis");

    public AllocationAdmission Admission { get; }

    // The fixture makes tokens on its own day. A timer never fires: on a busy machine the budget of 250 ms for Redis would otherwise end
    // while a real Redis answers. Tests of the budget have a clock of their own.
    private sealed class ShiftedClock(TimeSpan shift) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + shift;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            base.CreateTimer(callback, state, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }
}
