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
        Connection = Stub.Create<IConnectionMultiplexer>((method, _) =>
            method == nameof(IConnectionMultiplexer.GetDatabase) ? _database : throw new NotSupportedException(method));
    }

    public IConnectionMultiplexer Connection { get; }

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

    private object? AnswerDatabase(string method, object?[] arguments) => method switch
    {
        nameof(IDatabase.CreateBatch) => _batch,
        nameof(IDatabase.ScriptEvaluate) => Discount(),
        _ => throw new NotSupportedException(method),
    };

    private object? AnswerBatch(string method, object?[] arguments) => method switch
    {
        nameof(IBatch.Execute) => null,
        nameof(IBatch.StringGetAsync) => AnswerAsync((RedisValue)Grant),
        nameof(IBatch.SortedSetScoresAsync) => AnswerAsync(new double?[] { null, RevokedUntil?.ToUnixTimeSeconds() }),
        nameof(IBatch.ScriptEvaluateAsync) => AnswerScript((RedisValue[])arguments[2]!),
        _ => throw new NotSupportedException(method),
    };

    // The script that tells the first 5-tuple has two arguments; the one that counts has three.
    private Task<RedisResult> AnswerScript(RedisValue[] values)
    {
        if (values.Length == 2) return AnswerAsync(RedisResult.Create(values[0]));
        Counted++;
        return AnswerAsync(RedisResult.Create([(RedisValue)LiveAllocations, 1, ClientAddresses]));
    }

    private RedisResult Discount()
    {
        Counted--;
        return RedisResult.Create(0, ResultType.Integer);
    }

    private async Task<T> AnswerAsync<T>(T answer)
    {
        await Answering;
        return answer;
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
