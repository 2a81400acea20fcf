using System.Security.Cryptography;
using System.Text.Json;
using StackExchange.Redis;
using WebRtcIms.Contracts;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Authentication;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Settings;
using WebRtcIms.Turn.Telemetry;

namespace WebRtcIms.Turn.Admission;

/// <summary>
/// The lifetime and replay caches that all nodes share, in one round trip to Redis:
/// <c>turn:grant:{kid}:{tid}</c> read, <c>turn:replay:{kid}:{tid}:{transaction}</c> set once,
/// <c>turn:life:{kid}:{tid}</c> counted, <c>turn:revoked</c> asked. Keys hold no user name and no secret: kid and nonce of a
/// token are public. Each command has one key, because a cluster may have each key on another node.
/// </summary>
internal sealed class TokenCache(
    IConnectionMultiplexer redis, TurnMetrics metrics, TurnSettings settings, TimeProvider time, ILogger<TokenCache> logger)
{
    // Returns the 5-tuple that the request first came from.
    private const string FirstScript =
        "return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'EX', ARGV[2]) and ARGV[1] or redis.call('GET', KEYS[1])";

    // An address beyond the quota is not kept: it would shut out the others.
    private const string CountScript = """
        local live = redis.call('HINCRBY', KEYS[1], 'live', 1)
        local isFirst = redis.call('HSETNX', KEYS[1], 'first_use', ARGV[1])
        local addresses = redis.call('HLEN', KEYS[1]) - 2
        if redis.call('HEXISTS', KEYS[1], 'from:' .. ARGV[2]) == 0 then
            addresses = addresses + 1
            if addresses <= tonumber(ARGV[4]) then redis.call('HSET', KEYS[1], 'from:' .. ARGV[2], 1) end
        end
        redis.call('EXPIRE', KEYS[1], ARGV[3])
        return { live, isFirst, addresses }
        """;

    // An allocation renewed with other tokens may outlive the count of its first token, which must not be created again.
    private const string DiscountScript = "if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HINCRBY', KEYS[1], 'live', -1) end";

    // Calling a script by its hash takes a second round trip to a server that has not loaded it. Sending the text costs less.
    private const CommandFlags AsText = CommandFlags.NoScriptCache;

    private static readonly TimeSpan Budget = TimeSpan.FromMilliseconds(250);

    private readonly RedisAvailability _availability = new(logger, "allocations continue with the caches of this node");

    public CircuitBreaker Breaker { get; } = new(time);

    /// <summary>Counts an Allocate and returns what the fleet knows about its token.</summary>
    public Task<TokenAnswer> RegisterAsync(TokenName token, PendingAllocation pending)
    {
        var seconds = pending.Proof.Credential.RemainingSeconds(time.GetUtcNow());
        return AskAsync(
            asked => RegisterAsync(token, pending.TransactionId, pending.FiveTuple, seconds, asked), answer => Withdraw(token, answer));
    }

    /// <summary>Returns what the fleet knows about a token that renews an allocation.</summary>
    public Task<TokenAnswer> ReadAsync(TokenName token) => AskAsync(asked => ReadAsync(token, asked), _ => { });

    /// <summary>An allocation under the token has ended, or was not made after all.</summary>
    public void Withdraw(TokenName token, TokenAnswer answer)
    {
        if (!answer.IsCounted) return;
        try
        {
            redis.GetDatabase().ScriptEvaluate(DiscountScript, [LifeKey(token)], flags: AsText | CommandFlags.FireAndForget);
        }
        catch (RedisException)
        {
            // The key expires with the token, so a lost decrement has no lasting effect.
        }
    }

    /// <summary>
    /// Asks once about a token that does not exist, with keys that live for a second: the first Allocate of a fresh process would
    /// spend its budget on compiling.
    /// </summary>
    public async Task WarmUpAsync()
    {
        var token = new TokenName("warm-up", Guid.NewGuid().ToString("N"));
        try
        {
            Withdraw(token, await RegisterAsync(token, default, default, 1, time.GetUtcNow()).ConfigureAwait(false));
        }
        catch (RedisException)
        {
            // The first Allocate will report it.
        }
    }

    /// <summary>Asks within the budget, or not at all while the breaker is open.</summary>
    private async Task<TokenAnswer> AskAsync(Func<DateTimeOffset, Task<TokenAnswer>> ask, Action<TokenAnswer> withdraw)
    {
        var asked = time.GetUtcNow();
        if (!Breaker.TryEnter()) return new TokenAnswer(asked, asked);
        var began = time.GetTimestamp();
        var asking = ask(asked);
        try
        {
            var answer = await asking.WaitAsync(Budget, time).ConfigureAwait(false);
            Breaker.Succeeded();
            _availability.Answered();
            metrics.RecordCache(time.GetElapsedTime(began), null);
            return answer;
        }
        catch (Exception error) when (IsExpected(error))
        {
            // A malformed entry of one token is not a failure of Redis.
            if (error is JsonException or FormatException) Breaker.Succeeded();
            else Breaker.Failed(isSlow: error is TimeoutException);
            if (error is TimeoutException) _ = WithdrawWhenAnsweredAsync(asking, withdraw);
            _availability.Failed(error);
            metrics.RecordCache(time.GetElapsedTime(began), error.GetType().Name);
            return new TokenAnswer(asked, time.GetUtcNow());
        }
    }

    private static bool IsExpected(Exception error) => RedisAvailability.IsFailure(error) || error is JsonException;

    // An Allocate that timed out was not counted here, and its end will not be. A late count must be withdrawn.
    private static async Task WithdrawWhenAnsweredAsync(Task<TokenAnswer> asking, Action<TokenAnswer> withdraw)
    {
        try
        {
            withdraw(await asking.ConfigureAwait(false));
        }
        catch (Exception error) when (IsExpected(error))
        {
            // Nothing was counted.
        }
    }

    private async Task<TokenAnswer> RegisterAsync(
        TokenName token, TransactionId transaction, FiveTuple fiveTuple, uint seconds, DateTimeOffset asked)
    {
        var flow = Hash(fiveTuple.ToString());
        var network = Hash(ClientNetwork.Of(fiveTuple.Client.Address).ToString());
        RedisKey replayKey = $"turn:replay:{token.KeyId}:{token.TokenId}:{transaction}";

        var batch = redis.GetDatabase().CreateBatch();
        var reading = ReadAsync(batch, token, asked);
        var first = batch.ScriptEvaluateAsync(FirstScript, [replayKey], [flow, seconds], AsText);
        var counting = batch.ScriptEvaluateAsync(
            CountScript, [LifeKey(token)], [asked.ToUnixTimeSeconds(), network, seconds, settings.Quotas.AddressesPerToken], AsText);
        batch.Execute();
        try
        {
            await Task.WhenAll(reading, first, counting).ConfigureAwait(false);
            var counted = (long[])(await counting)!;
            return (await reading) with
            {
                IsCounted = true,
                IsReplay = (string?)await first != flow,
                LiveAllocations = counted[0],
                IsKnown = counted[1] == 0,
                ClientAddresses = counted[2],
            };
        }
        catch (Exception error) when (IsExpected(error))
        {
            // Partial success: without this the count would never be withdrawn.
            if (counting.IsCompletedSuccessfully) Withdraw(token, new TokenAnswer(asked, asked) { IsCounted = true });
            throw;
        }
    }

    private async Task<TokenAnswer> ReadAsync(TokenName token, DateTimeOffset asked)
    {
        var batch = redis.GetDatabase().CreateBatch();
        var reading = ReadAsync(batch, token, asked);
        batch.Execute();
        return await reading.ConfigureAwait(false);
    }

    private async Task<TokenAnswer> ReadAsync(IBatch batch, TokenName token, DateTimeOffset asked)
    {
        var grant = batch.StringGetAsync(Grant.Key(token.KeyId, token.TokenId));
        var revoked = batch.SortedSetScoresAsync(
            TurnRevocations.Key, [TurnRevocations.OfKey(token.KeyId), TurnRevocations.OfToken(token.KeyId, token.TokenId)]);
        await Task.WhenAll(grant, revoked).ConfigureAwait(false);
        var now = time.GetUtcNow();
        return new TokenAnswer(asked, now)
        {
            IsAvailable = true,
            IsRevoked = Array.Exists(await revoked, until => until > now.ToUnixTimeSeconds()),
            Grant = (await grant).HasValue ? Grant.Parse((string)(await grant)!) : null,
        };
    }

    private static string LifeKey(TokenName token) => $"turn:life:{token.KeyId}:{token.TokenId}";

    /// <summary>A client's address is personal data, and the caches and lists need only to tell one from another.</summary>
    public static string Hash(string text) =>
        Convert.ToHexStringLower(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(text)).AsSpan(0, 12));
}
