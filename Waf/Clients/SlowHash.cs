using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using WebRtcIms.Waf.Telemetry;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace WebRtcIms.Waf.Clients;

/// <summary>
/// Bounds the slow hashes of secrets for all callers together. Callers with many addresses have no limit of their own, and each wrong
/// secret costs such a hash. A secret that was right once is recognised by a fast hash, so these callers do not delay the clients of the
/// settings.
/// </summary>
internal sealed class SlowHash(int concurrent, int waiting) : IDisposable
{
    private const int MaxVerified = 10_000;

    private readonly byte[] _key = RandomNumberGenerator.GetBytes(32);
    private readonly SemaphoreSlim _places = new(concurrent);
    private readonly ConcurrentDictionary<string, byte[]> _verified = new(StringComparer.Ordinal);
    private int _requests;

    /// <summary>Leaves half of the processors to clients that need no slow hash.</summary>
    public SlowHash()
        : this(Math.Max(1, Environment.ProcessorCount / 2), waiting: 64)
    {
    }

    /// <exception cref="OverloadedException">Too many others wait.</exception>
    public async ValueTask<T> RunAsync<T>(Func<ValueTask<T>> hash)
    {
        try
        {
            if (Interlocked.Increment(ref _requests) > concurrent + waiting) throw new OverloadedException();
            await _places.WaitAsync();
            try
            {
                // It is work of the processor, and must not hold up a thread that reads requests.
                return await Task.Run(async () => await hash());
            }
            finally
            {
                _places.Release();
            }
        }
        finally
        {
            Interlocked.Decrement(ref _requests);
        }
    }

    public bool HasVerified(string secret, string stored) =>
        _verified.TryGetValue(stored, out var known) && CryptographicOperations.FixedTimeEquals(known, Digest(secret));

    public void AddVerified(string secret, string stored)
    {
        // Old hashes of clients that changed their secrets.
        if (_verified.Count >= MaxVerified) _verified.Clear();
        _verified[stored] = Digest(secret);
    }

    public void Dispose() => _places.Dispose();

    private byte[] Digest(string secret) => HMACSHA256.HashData(_key, Encoding.UTF8.GetBytes(secret));
}

/// <summary>Too many secrets are hashed now. An exception, because OpenIddict's manager only returns right or wrong.</summary>
internal sealed class OverloadedException() : Exception("Too many secrets are checked now.");

internal static class SlowHashLimit
{
    private static readonly TimeSpan Wait = TimeSpan.FromSeconds(1);

    /// <summary>Answers 503 to a request whose secret cannot be hashed now.</summary>
    public static void UseSlowHashLimit(this WebApplication app)
    {
        var telemetry = app.Services.GetRequiredService<WafTelemetry>();
        app.Use(async (context, next) =>
        {
            try
            {
                await next(context);
            }
            catch (OverloadedException) when (!context.Response.HasStarted)
            {
                telemetry.Overloaded();
                context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
                context.Response.Headers.CacheControl = "no-store";
                context.Response.Headers.RetryAfter = Wait.TotalSeconds.ToString(CultureInfo.InvariantCulture);
                await context.Response.WriteAsJsonAsync(new Dictionary<string, string>
                {
                    [Parameters.Error] = Errors.TemporarilyUnavailable,
                    [Parameters.ErrorDescription] = "Too many secrets are checked now. Try again.",
                });
            }
        });
    }
}
