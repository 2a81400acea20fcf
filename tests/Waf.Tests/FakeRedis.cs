using System.Reflection;

namespace WebRtcIms.Waf.Tests;

/// <summary>A Redis interface whose calls a test answers, by the name of the method.</summary>
public class FakeRedis : DispatchProxy
{
    private Func<string, object?> _answer = name => throw new NotSupportedException(name);

    public static T Create<T>(Func<string, object?> answer)
        where T : class
    {
        var proxy = Create<T, FakeRedis>();
        ((FakeRedis)(object)proxy)._answer = answer;
        return proxy;
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => _answer(targetMethod!.Name);
}
