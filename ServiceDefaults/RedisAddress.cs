using System.Globalization;
using System.Net;
using System.Net.Sockets;
using StackExchange.Redis;

namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// <c>ConnectionStrings:redis</c>: <c>host:port,option=value</c> as StackExchange.Redis has it, or a URL as other clients have it,
/// <c>redis://user:password@host:port/database</c>, with TLS <c>rediss://</c>.
/// </summary>
public static class RedisAddress
{
    private const string Name = "redis";
    private const string Setting = $"ConnectionStrings:{Name}";
    private const int DefaultPort = 6379;

    /// <summary>The options; null when the setting is missing or cannot be used.</summary>
    public static ConfigurationOptions? Read(IConfiguration configuration) =>
        configuration.GetConnectionString(Name) is { } text && !string.IsNullOrWhiteSpace(text) ? Parse(text.Trim()) : null;

    /// <summary>The problem of the setting; null when it is good or missing. It does not quote the value: it may have a password.</summary>
    public static string? Problem(IConfiguration configuration) =>
        string.IsNullOrWhiteSpace(configuration.GetConnectionString(Name)) || Read(configuration) is not null
            ? null : $"{Setting} must be a Redis address such as 127.0.0.1:6379,ssl=true or redis://user:password@127.0.0.1:6379/0";

    private static ConfigurationOptions? Parse(string text)
    {
        var options = text.Contains("://", StringComparison.Ordinal) ? ParseUrl(text) : ParseList(text);
        return options is { EndPoints.Count: > 0, AsyncTimeout: > 0, SyncTimeout: > 0, ConnectTimeout: > 0 }
            && options.EndPoints.All(IsUsable) ? options : null;
    }

    private static ConfigurationOptions? ParseList(string text)
    {
        try
        {
            return ConfigurationOptions.Parse(text);
        }
        catch (Exception error) when (error is ArgumentException or FormatException or OverflowException)
        {
            return null;
        }
    }

    private static ConfigurationOptions? ParseUrl(string text)
    {
        if (!Uri.TryCreate(text, UriKind.Absolute, out var url) || url.Scheme is not ("redis" or "rediss")) return null;
        if (url.Query.Length > 0) return null;
        var path = url.AbsolutePath.Trim('/');
        var database = 0;
        if (path.Length > 0 && !int.TryParse(path, NumberStyles.None, CultureInfo.InvariantCulture, out database)) return null;
        var user = url.UserInfo.Split(':', 2);
        var options = new ConfigurationOptions { Ssl = url.Scheme == "rediss", DefaultDatabase = database };
        if (url.Host.Length > 0) options.EndPoints.Add(url.Host.Trim('[', ']'), url.Port > 0 ? url.Port : DefaultPort);
        if (options.Ssl) options.SslHost = url.Host;
        if (user[0].Length > 0) options.User = Uri.UnescapeDataString(user[0]);
        if (user.Length > 1) options.Password = Uri.UnescapeDataString(user[1]);
        return options;
    }

    // The parser takes the whole of an entry that it does not understand as the name of a host.
    private static bool IsUsable(EndPoint endpoint) => endpoint switch
    {
        DnsEndPoint { Host: var host, Port: var port } => HttpAddress.IsHost(host) && port is >= 0 and <= ushort.MaxValue,
        IPEndPoint or UnixDomainSocketEndPoint => true,
        _ => false,
    };
}
