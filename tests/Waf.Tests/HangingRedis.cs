using System.Reflection;
using StackExchange.Redis;

namespace WebRtcIms.Waf.Tests;

/// <summary>A Redis that never answers.</summary>
public class HangingRedis : DispatchProxy
{
    public static IConnectionMultiplexer Create() => DispatchProxy.Create<IConnectionMultiplexer, HangingRedis>();

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => targetMethod?.Name switch
    {
        nameof(IConnectionMultiplexer.GetDatabase) => DispatchProxy.Create<IDatabase, HangingRedis>(),
        nameof(IDatabase.StringSetAsync) => new TaskCompletionSource<bool>().Task,
        _ => throw new NotSupportedException(targetMethod?.Name),
    };
}
