using System.Net;
using System.Reflection;
using StackExchange.Redis;
using WebRtcIms.Turn.Admission;

namespace WebRtcIms.Turn.Tests.Admission;

/// <summary>A Redis without a server, which answers <see cref="TokenCache"/> when the test lets it.</summary>
internal sealed class FakeRedis
{
    private readonly IDatabase _database;
    private readonly IBatch _batch;

    public FakeRedis()
    {
        _batch = Stub.Create<IBatch>(AnswerBatch);
        _database = Stub.Create<IDatabase>(AnswerDatabase);
        var subscriber = Stub.Create<ISubscriber>((method, arguments) => method == nameof(ISubscriber.Subscribe)
            ? Subscribe((RedisChannel)arguments[0]!, (Action<RedisChannel, RedisValue>)arguments[1]!)
            : throw new NotSupportedException(method));
        Connection = Stub.Create<IConnectionMultiplexer>((method, _) => method switch
        {
            nameof(IConnectionMultiplexer.GetDatabase) => _database,
            nameof(IConnectionMultiplexer.GetSubscriber) => subscriber,
            nameof(IConnectionMultiplexer.GetEndPoints) => Array.Empty<EndPoint>(),
            _ => throw new NotSupportedException(method),
        });
    }

    public IConnectionMultiplexer Connection { get; }

    /// <summary>The handlers of the channels.</summary>
    public Dictionary<RedisChannel, Action<RedisChannel, RedisValue>> Subscriptions { get; } = [];

    /// <summary>Answers wait for this; it has happened unless a test sets another.</summary>
    public Task Answering { get; set; } = Task.CompletedTask;

    /// <summary>The grant of every token that is asked about from now on.</summary>
    public string? Grant { get; set; }

    /// <summary>When the revocation ends of every token that is asked about; null when it is not revoked.</summary>
    public DateTimeOffset? RevokedUntil { get; set; }

    /// <summary>Live allocations that the fleet has of every token, with the one that is asked about.</summary>
    public long LiveAllocations { get; set; } = 1;

    /// <summary>Client addresses that the fleet has seen of every token.</summary>
    public long ClientAddresses { get; set; } = 1;

    /// <summary>Allocations that are counted now.</summary>
    public int Counted { get; private set; }

    /// <summary>The 5-tuple that the request first came from; null when this request is the first one.</summary>
    public string? FirstFlow { get; set; }

    /// <summary>Whether the lifetime cache has an entry of every token.</summary>
    public bool IsKnown { get; set; }

    /// <summary>The failure of the commands whose name or key contains the text, until it is removed.</summary>
    public Dictionary<string, Exception> Failures { get; } = [];

    /// <summary>The number of batches that were executed. A real batch sends nothing before.</summary>
    public int Executed { get; private set; }

    /// <summary>All commands: the name, the key, and the other arguments.</summary>
    public List<string> Commands { get; } = [];

    private object? Subscribe(RedisChannel channel, Action<RedisChannel, RedisValue> handler)
    {
        Subscriptions[channel] = handler;
        return null;
    }

    private object? AnswerDatabase(string method, object?[] arguments) => method switch
    {
        nameof(IDatabase.CreateBatch) => _batch,
        nameof(IDatabase.ScriptEvaluate) when ((CommandFlags)arguments[3]!).HasFlag(CommandFlags.FireAndForget) =>
            Discount(((RedisKey[])arguments[1]!)[0]),
        _ => throw new NotSupportedException(method),
    };

    private object? AnswerBatch(string method, object?[] arguments) => method switch
    {
        nameof(IBatch.Execute) => Execute(),
        nameof(IBatch.StringGetAsync) => AnswerAsync($"GET {arguments[0]}", (RedisValue)Grant),
        nameof(IBatch.SortedSetScoresAsync) => AnswerAsync(
            $"ZMSCORE {arguments[0]} {string.Join(' ', (RedisValue[])arguments[1]!)}",
            new double?[] { null, RevokedUntil?.ToUnixTimeSeconds() }),
        nameof(IBatch.ScriptEvaluateAsync) => AnswerScript(((RedisKey[])arguments[1]!)[0], (RedisValue[])arguments[2]!),
        _ => throw new NotSupportedException(method),
    };

    // The script that returns the first 5-tuple has two arguments. The script that counts has four.
    private Task<RedisResult> AnswerScript(RedisKey key, RedisValue[] values)
    {
        var name = values.Length == 2 ? "FIRST" : "COUNT";
        var command = $"{name} {key} {string.Join(' ', values)}";
        if (values.Length == 2) return AnswerAsync(command, RedisResult.Create((RedisValue)(FirstFlow ?? values[0])));
        if (FailureOf(command) is null) Counted++;
        return AnswerAsync(command, RedisResult.Create([(RedisValue)LiveAllocations, IsKnown ? 0 : 1, ClientAddresses]));
    }

    private object? Execute()
    {
        Executed++;
        return null;
    }

    private RedisResult Discount(RedisKey key)
    {
        Commands.Add($"DISCOUNT {key}");
        if (FailureOf(Commands[^1]) is { } failure) throw failure;
        Counted--;
        return RedisResult.Create(0, ResultType.Integer);
    }

    private Exception? FailureOf(string command) =>
        Failures.FirstOrDefault(failure => command.Contains(failure.Key, StringComparison.Ordinal)).Value;

    private async Task<T> AnswerAsync<T>(string command, T answer)
    {
        Commands.Add(command);
        var failure = FailureOf(command);
        await Answering;
        return failure is null ? answer : throw failure;
    }
}

/// <summary>An interface whose every method a function answers, by its name. The proxy derives from it, so it is not sealed.</summary>
public class Stub : DispatchProxy
{
    private Func<string, object?[], object?> _answer = null!;

    public static T Create<T>(Func<string, object?[], object?> answer)
        where T : class
    {
        var stub = Create<T, Stub>();
        ((Stub)(object)stub)._answer = answer;
        return stub;
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => _answer(targetMethod!.Name, args ?? []);
}
