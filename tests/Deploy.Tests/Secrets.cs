using k8s.Models;

namespace WebRtcIms.Deploy.Tests;

/// <summary>The output of the scripts <c>deploy/kubernetes/secrets</c> and <c>certificates</c>.</summary>
internal static class Secrets
{
    /// <summary>What an operator gives the script.</summary>
    private static readonly (string Name, string Value)[] Connections =
    [
        ("TURN_REDIS", "redis.example.com:6380,ssl=true,user=turn,password=it's secret"),
        ("WAF_REDIS", "redis.example.com:6380,ssl=true,user=waf,password=b"),
        ("WWSF_REDIS", "redis.example.com:6380,ssl=true,user=wwsf,password=c"),
        ("EPCSCF_REDIS", "redis.example.com:6380,ssl=true,user=ep-cscf,password=d"),
        ("WAF_STORE", "Host=db.example.com;Database=waf;Username=waf;Password=e;SSL Mode=VerifyFull"),
        ("WWSF_STORE", "Host=db.example.com;Database=wwsf;Username=wwsf;Password=f;SSL Mode=VerifyFull"),
    ];

    /// <summary>The variables of each Secret, by its name.</summary>
    public static async Task<IReadOnlyDictionary<string, IDictionary<string, string>>> OfPartsAsync() =>
        (await RunAsync("secrets", [], Connections)).Cast<V1Secret>().ToDictionary(secret => secret.Name(), secret => secret.StringData);

    /// <summary>The files of each Secret or ConfigMap of certificates, by its name.</summary>
    public static async Task<IReadOnlyDictionary<string, IDictionary<string, string>>> OfCertificatesAsync(string folder) =>
        (await RunAsync("certificates", [folder])).ToDictionary(
            made => made.Metadata.Name, made => made is V1Secret secret ? secret.StringData : ((V1ConfigMap)made).Data);

    private static async Task<IReadOnlyList<k8s.IKubernetesObject<V1ObjectMeta>>> RunAsync(
        string script, string[] arguments, params (string Name, string Value)[] environment)
    {
        Tools.Require("openssl", "openssl");
        var result = await Command.RunAsync(
            "sh", [Repository.PathOf("deploy", "kubernetes", script), .. arguments], environment: environment);
        Assert.True(result.ExitCode == 0, result.Output);
        return [.. Variant.Read(result.Output)];
    }
}
