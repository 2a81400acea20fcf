using System.Globalization;
using System.Text.RegularExpressions;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Interop.Tests;

/// <summary>coturn's <c>turnutils_oauth</c>. It takes nonce and mac_key for C strings, so neither may hold a zero octet.</summary>
internal static partial class OAuthTool
{
    /// <summary>A token made by coturn.</summary>
    public static async Task<byte[]> EncryptAsync(
        string kid, byte[] nonce, byte[] macKey, ulong timestamp, uint lifetime, string serverName = CoturnKeys.ServerName)
    {
        var program = Tools.Require("turnutils_oauth", "coturn");
        var result = await Command.RunAsync(program,
        [
            "-e", "-i", serverName, "-j", kid, "-k", CoturnKeys.Base64(kid), "-l", "1", "-m", "1",
            "-n", kid == "union" ? "A128GCM" : "A256GCM", "-o", Convert.ToBase64String(nonce), "-p", Convert.ToBase64String(macKey),
            "-q", timestamp.ToString(CultureInfo.InvariantCulture), "-r", lifetime.ToString(CultureInfo.InvariantCulture),
        ]);
        var token = AccessToken().Match(result.Output);
        Assert.True(token.Success, result.Output);
        return Convert.FromBase64String(token.Groups[1].Value);
    }

    /// <summary>Output of coturn for a token.</summary>
    public static async Task<CommandResult> DecryptAsync(string kid, byte[] token, string serverName = CoturnKeys.ServerName)
    {
        var program = Tools.Require("turnutils_oauth", "coturn");
        return await Command.RunAsync(program,
        [
            "-v", "-d", "--server-name", serverName, "--auth-key-id", kid, "--auth-key", CoturnKeys.Base64(kid), "--auth-key-timestamp",
            "1",
            "--auth-key-lifetime", "1", "--auth-key-as-rs-alg", kid == "union"
                ? "A128GCM" : "A256GCM", "--token", Convert.ToBase64String(token),
        ]);
    }

    [GeneratedRegex("\"access_token\": *\"([^\"]+)\"")]
    private static partial Regex AccessToken();
}
